"""A GPU for machines without one: tensors on ``cuda`` that have a shape and a device, no values.

PyTorch's fake tensors refuse what a real GPU refuses, tensors of two devices in one operation, and
what makes a program wait for one, a value that is read back. They cannot say whether values are
right: tests on the CPU do.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

DEVICE = torch.device("cuda:0")


class FakeGenerator(torch.Generator):
    """A generator that says it is on the GPU."""

    device = DEVICE


class _Indexing(TorchFunctionMode):
    """Square brackets around tensors as plain operations: PyTorch's own ask for a real GPU."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is Tensor.__getitem__:
            view, index = _viewed(*args)
            return torch.ops.aten.index.Tensor(view, index) if index else view
        if function is Tensor.__setitem__:
            view, index = _viewed(*args[:2])
            value = torch.as_tensor(args[2])
            return view.index_put_(index, value) if index else view.copy_(value)
        return function(*args, **(kwargs or {}))


def _viewed(tensor, index):
    """The tensor after slices, numbers and None, and the tensors that are left in the index."""
    indices = []
    for part in index if isinstance(index, tuple) else (index,):
        dim = len(indices)
        if isinstance(part, slice):
            bounds = part.start, part.stop, part.step or 1
            tensor = torch.ops.aten.slice.Tensor(tensor, dim, *bounds)
            indices.append(None)
        elif part is None:
            tensor = tensor.unsqueeze(dim)
            indices.append(None)
        elif isinstance(part, Tensor):
            indices.append(part)
        else:
            tensor = tensor.select(dim, part)
    return tensor, indices if any(part is not None for part in indices) else []


@contextmanager
def fake_gpu() -> Iterator[None]:
    """Tensors made inside are fake."""
    with FakeTensorMode(), _Indexing():
        yield
