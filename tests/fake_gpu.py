"""A GPU for machines without one: tensors on a device of their own, computed on the CPU.

The device is called ``meta``, a name that PyTorch has without any hardware. Inside ``fake_gpu``
what a real GPU refuses is refused: tensors of two devices in one operation, and
NumPy on a tensor of the GPU. With ``waits=False`` so is what makes a program wait for a GPU: a
value that is read back, or a result whose size depends on values. Values are real.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
COPIES = {"aten::_to_copy", "aten::copy_"}
TAKE_CPU_INDICES = {"aten::index.Tensor", "aten::index_put_", "aten::index_put"}
WAITS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::_unique2"}
WAITS |= {"aten::repeat_interleave.Tensor", "aten::masked_select", "aten::bincount"}


class FakeGenerator(torch.Generator):
    """A generator that says it is on the GPU."""

    device = DEVICE


class GpuTensor(Tensor):
    """A tensor on the fake GPU, and the one on the CPU that holds its values."""

    @staticmethod
    def __new__(cls, values):
        shape = {"strides": values.stride(), "storage_offset": values.storage_offset()}
        made = Tensor._make_wrapper_subclass(
            cls, values.shape, dtype=values.dtype, device=DEVICE, **shape
        )
        made.values = values
        return made

    def numpy(self, **settings):
        raise TypeError("a tensor of the GPU has no NumPy array: bring it to the CPU first")

    def tolist(self):
        return self.cpu().tolist()

    def __repr__(self, **settings):
        return f"{self.values!r} on {DEVICE}"

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise RuntimeError(f"{function} outside of fake_gpu")


class _Gpu(TorchDispatchMode):
    def __init__(self, waits):
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, function.name()
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        on_gpu = [each for each in given if isinstance(each, GpuTensor)]
        target = kwargs.get("device") or (DEVICE if on_gpu else torch.device("cpu"))
        self._check(name, given, on_gpu, target)
        if "device" in kwargs:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        args, kwargs = tree_map(_values, (args, kwargs))
        wrapped = {id(each.values): each for each in on_gpu}
        made = function(*args, **kwargs)
        if name == "aten::copy_":  # the result is its first argument, wherever that is
            return wrapped.get(id(made), made)
        if torch.device(target) != DEVICE:
            return made
        return tree_map(lambda leaf: _on_gpu(leaf, wrapped), made)

    def _check(self, name, given, on_gpu, target):
        if any(each.device == DEVICE and not isinstance(each, GpuTensor) for each in given):
            raise RuntimeError(f"{name}: a tensor has no values: make it inside of fake_gpu")
        waits = name in WAITS or _has_mask(name, given) or target != DEVICE
        if on_gpu and waits and not self.waits:
            raise RuntimeError(f"{name} waits for the GPU")
        arrays = [each for each in given if each.dim() and not isinstance(each, GpuTensor)]
        if on_gpu and arrays and name not in COPIES | TAKE_CPU_INDICES:
            raise RuntimeError(f"{name}: expected all tensors on one device, got cpu and {DEVICE}")


def _has_mask(name, given):
    return name in TAKE_CPU_INDICES and any(each.dtype == torch.bool for each in given[1:2])


def _values(leaf):
    return leaf.values if isinstance(leaf, GpuTensor) else leaf


def _on_gpu(leaf, wrapped):
    if not isinstance(leaf, Tensor) or isinstance(leaf, GpuTensor):
        return leaf
    return wrapped[id(leaf)] if id(leaf) in wrapped else GpuTensor(leaf)


class _Made(TorchFunctionMode):
    """Tensors from plain numbers: PyTorch makes them on their device past all dispatching."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in (torch.tensor, torch.as_tensor) and not isinstance(args[0], Tensor):
            device = kwargs.pop("device", "cpu")
            return function(*args, **kwargs).to(device)
        return function(*args, **kwargs)


@contextmanager
def fake_gpu(*, waits: bool = True) -> Iterator[None]:
    """Tensors made inside on ``DEVICE`` are on the fake GPU."""
    with _Gpu(waits), _Made():
        yield
