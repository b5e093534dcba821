"""How much memory is free, and the refusal of what would need more, before any of it is taken."""

from __future__ import annotations

import os
from pathlib import Path

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


class TooLargeError(ValueError):
    """Something needs more memory than is free."""


def free_memory() -> int:
    """Bytes of memory that are free now: of the machine, or of the container if that is less."""
    return min([_free_of_machine(), *_free_of_container()])


def require_memory(n_bytes: float, *, what: str, instead: str) -> None:
    """Refuse what would need more memory than is free.

    Parameters
    ----------
    n_bytes : float
        The most that will be held at a time.
    what : str
        What needs it, the start of the message.
    instead : str
        What to do.

    Raises
    ------
    TooLargeError
        With the bytes needed, the bytes free, and what to do instead.

    Examples
    --------
    >>> require_memory(1e6, what="a small table", instead="take fewer items")
    >>> try:
    ...     require_memory(1e18, what="a large table", instead="take fewer items")
    ... except TooLargeError as error:
    ...     print(str(error)[:71])
    a large table needs 1.0 EB of memory (1,000,000,000,000,000,000 bytes),
    """
    free = free_memory()
    if n_bytes > free:
        raise TooLargeError(
            f"{what} needs {in_words(n_bytes)} of memory ({n_bytes:,.0f} bytes), and "
            f"{in_words(free)} are free: {instead}"
        )


def in_words(n_bytes: float) -> str:
    """Bytes in the unit that a person would say.

    Examples
    --------
    >>> in_words(999), in_words(24 * 60_000**2)
    ('999 bytes', '86.4 GB')
    """
    value, unit = float(n_bytes), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:,.1f} {_UNITS[unit]}" if unit else f"{n_bytes:,.0f} bytes"


def _free_of_machine() -> int:
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        lines = meminfo.read_text().splitlines()
        return 1024 * int(
            next(line for line in lines if line.startswith("MemAvailable")).split()[1]
        )
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _free_of_container() -> list[int]:
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = ((folder / f"memory.{name}").read_text() for name in ("max", "current"))
        return [max(int(limit) - int(used), 0)] if limit.strip() != "max" else []
    except (OSError, ValueError):
        return []
