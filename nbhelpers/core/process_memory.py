"""How much memory this process has needed so far."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
KIB = 1024


def peak_megabytes() -> float:
    """Largest memory that this process has held since it began, in MB of 2**20 bytes.

    It does not fall, so what two ways of doing something need is measured in two processes. The
    libraries that a process has imported are in it.

    Returns
    -------
    float

    Examples
    --------
    >>> before = peak_megabytes()
    >>> block = bytes(100 * 2**20)
    >>> peak_megabytes() >= before > 0
    True
    """
    if STATUS.exists():  # what getrusage says may, on Linux, be of the process that started us
        (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / KIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / KIB**2 if sys.platform == "darwin" else peak / KIB
