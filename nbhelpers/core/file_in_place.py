"""A file that is replaced as a whole, or stays as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A draft beside a file: it takes the file's place when all of it was written.

    Parameters
    ----------
    path : Path
        Of the file, which may be there or not.

    Yields
    ------
    Path
        Where to write. Whatever interrupts the writing, no draft is left.

    Raises
    ------
    OSError
        If the draft cannot take the place.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "lists.csv")
    ...     with replacing(path) as draft:
    ...         _ = draft.write_text("new")
    ...     [entry.name for entry in Path(folder).iterdir()], path.read_text()
    (['lists.csv'], 'new')
    """
    draft = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
