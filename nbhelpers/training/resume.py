"""Going on after a stop: batches that know where they are, and a file that holds a run."""

from __future__ import annotations

import hashlib
import io
import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

Batch = tuple[Tensor, ...]
FORMAT = 1
_CHECKSUM_BYTES = hashlib.sha256().digest_size


class Batches(Protocol):
    """Batches of positives, shuffled anew in each pass, such as ``PairBatches``."""

    @property
    def generator(self) -> torch.Generator | None:
        """Decides the order; without one torch's global generator does."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Batch]: ...


class ResumableBatches:
    """Batches that know how far a pass has come; Lightning keeps and restores their state.

    Parameters
    ----------
    batches : Batches

    Raises
    ------
    ValueError
        If they have no generator of their own.
    """

    def __init__(self, batches: Batches) -> None:
        if batches.generator is None:
            raise ValueError("batches must have a generator of their own to go on after a stop")
        self.batches, self.generator = batches, batches.generator
        self.pass_start = self.generator.get_state()
        self.n_done = self.n_to_skip = 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        n_to_skip, self.n_to_skip = self.n_to_skip, 0
        self.pass_start = self.generator.get_state()
        for number, batch in enumerate(self.batches, start=1):
            if number > n_to_skip:  # after a stop within a pass, draw its first batches again
                self.n_done = number
                yield batch

    def state_dict(self) -> dict[str, Any]:
        """Where to go on: a state of the generator, and how many batches then to leave out."""
        if self.n_done == len(self):
            return {"generator": self.generator.get_state(), "n_done": 0}
        return {"generator": self.pass_start, "n_done": self.n_done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.generator.set_state(state["generator"])
        self.n_to_skip = state["n_done"]


class CheckpointError(ValueError):
    """A checkpoint is damaged, or belongs to another run."""


class Checkpoint:
    """A file that holds what a run needs to go on, replaced as a whole after each epoch.

    Parameters
    ----------
    path : path
        Its folder must be there.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def save(self, content: Mapping[str, Any], settings: Mapping[str, str]) -> None:
        """Write a new file beside the old one, and let it take its place when it is complete.

        Parameters
        ----------
        content : mapping
            Tensors, numbers and text, in dicts, lists and tuples.
        settings : mapping of str to str
            What the run was called with; only the same run may go on.
        """
        memory = io.BytesIO()
        torch.save({"format": FORMAT, "settings": dict(settings), **content}, memory)
        partial = self.path.with_name(f".partial-{self.path.name}")
        try:
            with partial.open("wb") as file:
                file.write(memory.getbuffer())
                file.write(hashlib.sha256(memory.getbuffer()).digest())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)

    def load(self, settings: Mapping[str, str]) -> dict[str, Any] | None:
        """What was saved last, on the CPU; nothing if there is no file yet.

        Only tensors and plain values are read: the file cannot run a program.

        Parameters
        ----------
        settings : mapping of str to str
            Those that are named here must be the ones that were saved.

        Raises
        ------
        CheckpointError
            If the file is damaged or of another run; the message names it.
        """
        if not self.path.exists():
            return None
        try:
            content = _opened(self.path.read_bytes())
            version, theirs = content["format"], content["settings"]
        except Exception as error:  # whatever torch raises for what is no checkpoint
            raise CheckpointError(
                f"{self.path} is damaged or no checkpoint: delete it to start anew"
            ) from error
        if version != FORMAT:
            raise CheckpointError(
                f"{self.path} has format {version!r}, and this version reads {FORMAT}"
            )
        self.require_same(theirs, settings)
        return dict(content)

    def require_same(self, theirs: Mapping[str, str], ours: Mapping[str, str]) -> None:
        """Refuse the settings of another run; the message names the first that differs."""
        for name, now in ours.items():
            was = theirs.get(name)
            if was != now:
                raise CheckpointError(
                    f"{self.path} belongs to another run: {name} was {_short(was)}, now "
                    f"{_short(now)}; name another file, or delete it to start anew"
                )


def _opened(stored: bytes) -> dict[str, Any]:
    """What was stored, if its checksum, the last bytes, is right."""
    content, checksum = stored[:-_CHECKSUM_BYTES], stored[-_CHECKSUM_BYTES:]
    if hashlib.sha256(content).digest() != checksum:
        raise ValueError("the checksum is wrong")
    opened = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return dict(opened)


def _short(text: str | None) -> str:
    text = str(text)
    return text if len(text) <= 60 else f"{text[:57]}..."


def random_states(batches: object) -> dict[str, Any]:
    """States of the generator of batches and of the global generators, as plain values.

    Parameters
    ----------
    batches : object
        Its ``generator``, if it has one, is the first.

    Returns
    -------
    dict
    """
    numpy: Any = np.random.get_state()  # noqa: NPY002
    states: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": (torch.from_numpy(numpy[1].astype(np.int64)), *numpy[2:]),
        "python": random.getstate(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    generator = _generator_of(batches)
    if generator is not None:
        states["batches"] = generator.get_state()
    return states


def restore_random_states(states: Mapping[str, Any], batches: object) -> None:
    """Put every generator where ``random_states`` found it."""
    torch.set_rng_state(states["torch"])
    keys, *rest = states["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    random.setstate(states["python"])
    if "cuda" in states and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all(states["cuda"])
    generator = _generator_of(batches)
    if generator is not None:
        generator.set_state(states["batches"])


def _generator_of(batches: object) -> torch.Generator | None:
    """A list of batches has none; whatever shuffles has one."""
    generator = getattr(batches, "generator", None)
    return generator if isinstance(generator, torch.Generator) else None
