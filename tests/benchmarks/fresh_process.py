"""A stage in a process of its own, watched: what takes too much is stopped and said."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
KIB = 1024


class StoppedError(RuntimeError):
    """A process took more memory or time than it may."""


@dataclass(frozen=True)
class Limits:
    """What a process may take."""

    memory_gb: float = 8.0
    minutes: float = 30.0


def run_fresh(
    module: str,
    arguments: Sequence[str],
    *,
    limits: Limits,
    is_heard: bool = False,
    look_every: float = 0.2,
) -> Any:
    """What a module prints last, as JSON, when it runs alone; ``None`` where it prints nothing.

    What it says to the standard error is shown where ``is_heard``, else kept for the message.

    Raises
    ------
    StoppedError
        If it takes more memory or time than the limits; it is killed then.
    RuntimeError
        If it fails: with the end of what it said.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdout=out,
            stderr=None if is_heard else said,
        )
        try:
            _watch(process, limits, look_every)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        out.seek(0)
        said.seek(0)
        if process.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {said.read()[-500:].strip()}")
        lines = out.read().splitlines()
    return json.loads(lines[-1]) if lines else None


def _watch(process: subprocess.Popen[bytes], limits: Limits, look_every: float) -> None:
    started = time.monotonic()
    while process.poll() is None:
        gigabytes, minutes = resident_gb(process.pid), (time.monotonic() - started) / 60
        if gigabytes > limits.memory_gb:
            raise StoppedError(f"stopped at {gigabytes:.1f} GB, {limits.memory_gb:g} allowed")
        if minutes > limits.minutes:
            raise StoppedError(f"stopped after {minutes:.0f} minutes, {limits.minutes:g} allowed")
        time.sleep(look_every)


def resident_gb(pid: int) -> float:
    """Memory of a process now, 0 where it cannot be told or the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    found = [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
    return found[0] * KIB / 1e9 if found else 0.0


def this_machine() -> str:
    """Processor, cores and memory in words."""
    info = Path("/proc/cpuinfo")
    names = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in names if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    processor = models[0] if models else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {memory:.0f} GB; one thread, torch {_torch()}"


def _torch() -> str:
    return torch.__version__.split("+")[0]
