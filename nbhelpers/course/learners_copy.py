"""A learner's own copy of the notebooks: answers never become edits of the course."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import nbformat

from nbhelpers.course.jupytext_pairs import notebook_named, sources
from nbhelpers.course.results import TABLE

MANIFEST = ".copied.json"


def prepare_copy(folder: Path, work: Path) -> list[str]:
    """Copy what is new or was not touched into a learner's folder, and leave the rest alone.

    The copies have no ``.md`` beside them and do not ask for one.

    Parameters
    ----------
    folder : Path
        The folder ``notebooks``.
    work : Path
        The learner's folder; made if it is not there.

    Returns
    -------
    list of str
        Names of notebooks that the learner has changed and of which the course now has another
        version; ``reset_copy`` takes it.
    """
    work.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / TABLE, work / TABLE)  # what the lessons quote of each other
    manifest = _read_manifest(work)
    kept = []
    for path in sources(folder):
        name = _name(path, folder)
        content = _as_copy(path)
        mine = work / name
        if mine.exists() and _digest(mine.read_text(encoding="utf-8")) != manifest.get(name):
            if manifest.get(name) != _digest(content):
                kept.append(path.stem)
            continue
        _write(mine, content)
        manifest[name] = _digest(content)
    _write_manifest(work, manifest)
    return kept


def reset_copy(notebook: str, folder: Path, work: Path) -> Path | None:
    """Give a learner one notebook afresh; what they had is kept beside it.

    Parameters
    ----------
    notebook : str
        The number of a lesson, as in "03", or the name of a lesson or lab.
    folder : Path
        The folder ``notebooks``.
    work : Path
        The learner's folder.

    Returns
    -------
    Path or None
        Where the learner's version went; None if there was none, or it was untouched.

    Raises
    ------
    ValueError
        If the course has no such notebook.
    """
    path = notebook_named(notebook, folder)
    name, content, kept = _name(path, folder), _as_copy(path), None
    mine = work / name
    if mine.exists() and mine.read_text(encoding="utf-8") != content:
        kept = _free_name(mine)
        mine.replace(kept)
    _write(mine, content)
    _write_manifest(work, {**_read_manifest(work), name: _digest(content)})
    return kept


def _as_copy(path: Path) -> str:
    """The notebook without its pairing, which would make a ``.md`` of each answer."""
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    notebook.metadata.pop("jupytext", None)
    text: str = nbformat.writes(notebook)
    return text + "\n"


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix(".ipynb").as_posix()


def _free_name(path: Path) -> Path:
    """The first of ``NAME.mine-1.ipynb``, ``NAME.mine-2.ipynb``, ... that is not taken."""
    number = 1
    while path.with_suffix(f".mine-{number}.ipynb").exists():
        number += 1
    return path.with_suffix(f".mine-{number}.ipynb")


def _read_manifest(work: Path) -> dict[str, str]:
    path = work / MANIFEST
    if not path.exists():
        return {}
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _write_manifest(work: Path, manifest: dict[str, str]) -> None:
    _write(work / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, text: str) -> None:
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
