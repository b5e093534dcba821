"""Install what `requirements.lock` names, each file checked by its hash.

`make setup` runs this with the new environment's Python before anything is installed, so it
stands on the standard library alone.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
# torch and what only its CUDA build needs: a build from elsewhere has other files, other hashes.
TORCH_BUILD = re.compile(r"(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)==")
RESOLUTIONS = ("lock", "highest", "lowest-direct")


class InstallError(RuntimeError):
    """A step of the installation failed; the message holds what the installer said."""


def locked(text: str) -> list[str]:
    """Requirements of a lock file, each with its hashes.

    Parameters
    ----------
    text : str
        In the form of a requirements file with hashes.

    Returns
    -------
    list of str
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [block.strip() for block in re.split(r"\n(?=\S)", "\n".join(lines)) if block.strip()]


def without_torch(requirements: Iterable[str]) -> list[str]:
    """What is left where torch comes from elsewhere.

    Parameters
    ----------
    requirements : iterable of str
        As from ``locked``.

    Returns
    -------
    list of str
    """
    return [line for line in requirements if not TORCH_BUILD.match(line)]


def pinned(requirements: Iterable[str], name: str) -> str:
    """The requirement of one package.

    Parameters
    ----------
    requirements : iterable of str
        As from ``locked``.
    name : str

    Returns
    -------
    str
    """
    return next(line for line in requirements if line.startswith(f"{name}=="))


def install(resolution: str, torch_backend: str, find_links: str) -> None:
    """Install the course into the environment of the running Python.

    Parameters
    ----------
    resolution : {"lock", "highest", "lowest-direct"}
        The versions of the lock, or the newest or lowest within the bounds of pyproject.toml.
    torch_backend : str
        Where torch comes from, as uv's ``--torch-backend``; empty for the package index.
    find_links : str
        Folder with wheels that go first, as ``PIP_FIND_LINKS``; empty for none.

    Raises
    ------
    InstallError
        If a file is not the one that was locked, or if nothing helps.
    """
    elsewhere = [f"--torch-backend={torch_backend}"] if torch_backend else []
    elsewhere += ["--find-links", find_links] if find_links else []
    if resolution != "lock":
        _install_by_bounds(resolution, elsewhere)
        return
    try:
        _install_locked(elsewhere)
    except InstallError as error:
        if is_another_file(str(error)):
            raise InstallError(
                f"a file is not the one that was locked, so nothing more is installed:\n{error}"
            ) from None
        print(
            f"The lock cannot be used here:\n{error}\nInstalling within the bounds of "
            "pyproject.toml instead; no file is checked by its hash.",
            flush=True,
        )
        _install_by_bounds("highest", elsewhere)


def is_another_file(said: str) -> bool:
    """Whether an installer refused a file because of its hash.

    Parameters
    ----------
    said : str
        What pip or uv wrote.

    Returns
    -------
    bool
    """
    return bool(re.search(r"hash mismatch|do not match the hashes", said, re.I))


def _install_locked(elsewhere: Sequence[str]) -> None:
    requirements = locked(LOCK.read_text(encoding="utf-8"))
    _pip("--no-deps", "--require-hashes", requirements=[pinned(requirements, "uv")])
    if elsewhere:
        torch = pinned(requirements, "torch").split(" ")[0]
        print(f"{torch} comes from elsewhere, so its hash is not checked.", flush=True)
        _uv("--no-deps", "--require-hashes", requirements=without_torch(requirements))
        _uv(*elsewhere, torch)
    else:
        _uv("--no-deps", "--require-hashes", requirements=requirements)
    # setuptools builds our own package; it is in the lock, so nothing unchecked is fetched.
    _uv("--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def _install_by_bounds(resolution: str, elsewhere: Sequence[str]) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    dev = settings["project"]["optional-dependencies"]["dev"]
    _pip(next(line for line in dev if line.startswith("uv>=")))
    _uv(f"--resolution={resolution}", *elsewhere, "--editable", f"{ROOT}[course,app,excel,dev]")


def _pip(*arguments: str, requirements: Iterable[str] = ()) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*command, *arguments], requirements)


def _uv(*arguments: str, requirements: Iterable[str] = ()) -> None:
    command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet"]
    _run([*command, "--python", sys.executable, "--compile-bytecode", *arguments], requirements)


def _run(command: list[str], requirements: Iterable[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted = "\n".join(requirements)
        if wanted:
            file = Path(folder) / "requirements.txt"
            file.write_text(wanted + "\n", encoding="utf-8")
            command = [*command, "--requirement", str(file)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise InstallError((done.stderr or done.stdout).strip() or f"{command[0]} failed")


def main() -> int:
    """Install by the arguments of the command line and say what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", choices=RESOLUTIONS, default="lock")
    parser.add_argument("--torch-backend", default="")
    chosen = parser.parse_args()
    try:
        install(chosen.resolution, chosen.torch_backend, os.environ.get("PIP_FIND_LINKS", ""))
    except InstallError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
