"""Results of fits that outlive a killed run: kept by what made them, and believed only if sound."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nbhelpers.core.file_in_place import replacing

PACKAGE = Path(__file__).parents[2]
# What decides a fit and its evaluation.
DECISIVE = ("core", "data", "sampling", "models", "training", "evaluation")
RECIPES = {
    "NDCG@10": (
        "commands/model_recipes.py",
        "commands/contenders.py",
        "commands/one_protocol/recipe.py",
        "commands/one_protocol/ranking_recipes.py",
        "commands/one_protocol/protocols.py",
    ),
    "MSE": (
        "commands/one_protocol/recipe.py",
        "commands/one_protocol/rating_recipes.py",
        "commands/one_protocol/protocols.py",
    ),
}
LIBRARIES = ("numpy", "pandas", "scipy", "torch")


class FitCache:
    """A folder of results, one file each.

    A result is believed if its file says the same key word for word, and its checksum is right.
    Anything else (half of a file, another key, a changed number) is as if it were not there, and
    is replaced by the next ``put``.

    Parameters
    ----------
    folder : Path
        Made if there is none.

    Attributes
    ----------
    refused : list of str
        Names of files that were there and were not believed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     kept = FitCache(Path(folder))
    ...     kept.put({"model": "EASE", "seed": 0}, {"ndcg": 0.1})
    ...     kept.get({"model": "EASE", "seed": 0}), kept.get({"model": "EASE", "seed": 1})
    ({'ndcg': 0.1}, None)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refused: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of a key, or None if there is none to be believed."""
        path = self._path(key)
        if not path.exists():
            return None
        result = _believed(path, key)
        if result is None and path.name not in self.refused:
            self.refused.append(path.name)
        return result

    def put(self, key: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Keep a result, in place of another of the same key.

        Raises
        ------
        ValueError
            If the result holds a number that is not finite.
        """
        plain = json.loads(_text([key, result]))
        entry = {"key": plain[0], "result": plain[1], "sha256": _digest(plain)}
        with replacing(self._path(key)) as draft:
            draft.write_text(_text(entry), encoding="utf-8")

    def _path(self, key: Mapping[str, Any]) -> Path:
        return self.folder / f"{_digest(key)[:32]}.json"


def _believed(path: Path, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result in a file, if the file is whole and of this key."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        result, said = entry["result"], entry["key"]
        is_sound = entry["sha256"] == _digest([said, result]) and _text(said) == _text(key)
    except (OSError, ValueError, KeyError, TypeError):  # ValueError: no JSON, or no text
        return None
    return result if is_sound and isinstance(result, dict) else None


def _text(content: Any) -> str:
    return json.dumps(content, sort_keys=True, allow_nan=False)


def _digest(content: Any) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()


@cache
def code_version(metric: str) -> str:
    """Digest of the code that decides a fit, without its comments, docstrings and layout.

    A result that another version of the code made is so never taken for one of this version.

    Parameters
    ----------
    metric : {"NDCG@10", "MSE"}
        Of the protocol: recipes of rating models decide nothing about lists.
    """
    digest = hashlib.sha256()
    paths = [path for name in DECISIVE for path in sorted((PACKAGE / name).rglob("*.py"))]
    for path in [*paths, *(PACKAGE / name for name in RECIPES[metric])]:
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(bare_code(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def bare_code(source: str) -> str:
    """What a module does, without how it is written down.

    Examples
    --------
    >>> bare_code("x = 1  # one") == bare_code("'A number.'; x=1")
    True
    >>> bare_code("x = 1") == bare_code("x = 2")
    False
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_text(each)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that compute."""
    return {name: version(name) for name in LIBRARIES}
