"""A folder of one description and one tensor file that change together, checked when read."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import filelock

FORMAT = (2, 0)  # major, minor: a newer minor only adds entries, which are left unread
DESCRIPTION = "model.json"
_TENSOR_FILE = re.compile(r"tensors-[0-9a-f]{16}\.safetensors")
_PARTIAL = ".partial-"


class ModelFileError(ValueError):
    """A stored model is missing, damaged, or another one than was asked for."""


def publish(folder: Path, content: dict[str, Any], blob: bytes) -> None:
    """Put a model in a folder, in place of the one there.

    The tensors are written under a name of their own, then the description that names them.
    Until that last step the old description stands, and with it the old tensors.

    Parameters
    ----------
    folder : Path
        Made if there is none.
    content : dict
        What the description says besides format and checksums; JSON can hold it.
    blob : bytes
        The tensors.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    digest = hashlib.sha256(blob).hexdigest()
    tensors = {"sha256": digest, "bytes": len(blob)}
    number = ".".join(map(str, FORMAT))
    text = _sealed({"format": number, **content, "tensors": tensors})
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / ".lock"):
        try:
            _write(folder / _tensor_file(digest), blob)
            _write(folder / DESCRIPTION, text.encode())
        finally:
            _sweep(folder)


def read(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Description and tensors of a folder, compared with their checksums.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    description : dict
    blob : bytes

    Raises
    ------
    ModelFileError
        If a file is missing, cut, altered or of another format; the message names it.
    """
    if folder.is_file():
        raise ModelFileError(f"{folder} {_what_is(folder, 'is a file')}: name a folder")
    for _ in range(3):  # a save that ends between the two reads clears the old tensors away
        description = _description(folder / DESCRIPTION)
        expected = description["tensors"]["sha256"]
        path = folder / _tensor_file(expected)
        with suppress(FileNotFoundError):
            blob = path.read_bytes()
            break
    else:
        raise ModelFileError(f"{path} is missing: save the model again")
    if hashlib.sha256(blob).hexdigest() != expected:
        size = f"{len(blob):,} of {description['tensors']['bytes']:,} bytes"
        raise ModelFileError(
            f"{path} {_what_is(path, 'was cut or altered')} ({size}): save the model again"
        )
    return description, blob


def _sealed(content: dict[str, Any]) -> str:
    """Description as text, whose last entry is a checksum of all the others."""
    unsealed = {key: value for key, value in content.items() if key != "seal"}
    seal = hashlib.sha256(json.dumps(unsealed).encode()).hexdigest()
    return json.dumps({**unsealed, "seal": seal}, indent=1) + "\n"


def _tensor_file(digest: str) -> str:
    return f"tensors-{digest[:16]}.safetensors"


def _write(path: Path, content: bytes) -> None:
    """Put a complete file in its place, and wait until it is on the disk."""
    partial = path.with_name(_PARTIAL + path.name)
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too
    finally:
        os.close(folder)


def _sweep(folder: Path) -> None:
    """Clear away unfinished files, and tensors that the description does not name."""
    with suppress(OSError):
        for path in folder.glob(f"{_PARTIAL}*"):
            path.unlink()
    with suppress(OSError, ModelFileError):
        current = _tensor_file(_description(folder / DESCRIPTION)["tensors"]["sha256"])
        for path in folder.iterdir():
            if _TENSOR_FILE.fullmatch(path.name) and path.name != current:
                path.unlink()


def _description(path: Path) -> dict[str, Any]:
    """What the description says; refused unless every byte is as it was written."""
    if not path.is_file():
        raise ModelFileError(
            f"{path} is missing: name a folder that save_model or nbhelpers train wrote"
        )
    try:
        text = path.read_bytes().decode()
        description: dict[str, Any] = json.loads(text)
        whole = isinstance(description, dict) and text == _sealed(description)
    except (ValueError, RecursionError):
        whole = False
    if not whole:
        raise ModelFileError(f"{path} {_what_is(path, 'was cut or altered')}: save the model again")
    _check_format(path, str(description.get("format")))
    digest = description.get("tensors", {}).get("sha256", "")
    if not _TENSOR_FILE.fullmatch(_tensor_file(digest)):
        raise ModelFileError(f"{path} names no tensor file")
    return description


def _check_format(path: Path, number: str) -> None:
    """Refuse another major number; a newer minor one has entries more, and can be read."""
    major = number.split(".")[0]
    if major == str(FORMAT[0]):
        return
    newer = major.isdecimal() and int(major) > FORMAT[0]
    cure = "update nbhelpers" if newer else "save the model again with this version"
    raise ModelFileError(
        f"{path} has format {number}, and this version reads {FORMAT[0]}.x: {cure}"
    )


def _what_is(path: Path, otherwise: str) -> str:
    """Whether a file is a pickle, told from its first bytes: nothing in it is run."""
    with path.open("rb") as file:
        start = file.read(9)
    if start.startswith(b"PK") or (start[:1] == b"\x80" and start[8:] != b"{"):
        return "is a pickle, which can run any program while it is read, and was left unread"
    return otherwise
