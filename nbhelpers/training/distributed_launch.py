"""Starting the processes of a run on this machine, by torchrun's own engine.

``python -m nbhelpers.training.distributed_launch 2 program.py ...`` is the same as a command.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nbhelpers.core.checks import require_one

LAUNCHED = "NBHELPERS_LAUNCHED"  # set where errors are told by the process that started the others
SECONDS_TO_END = 10  # for the others, when one has failed


class FailedProcessError(RuntimeError):
    """A process of a run has failed or was killed; all others were ended."""


def launch(arguments: Sequence[str], *, n_processes: int) -> None:
    """Run a Python program in several processes at once, until all have ended.

    What ``torchrun --nproc-per-node N`` does, with one line where torchrun writes a report.
    Each process gets one thread, unless ``OMP_NUM_THREADS`` says otherwise.

    Parameters
    ----------
    arguments : sequence of str
        Of Python: ``["-m", "package.module", ...]`` or ``["program.py", ...]``.
    n_processes : int

    Raises
    ------
    FailedProcessError
        If one of them fails or is killed. The others are then ended within seconds.
    ValueError
        If ``n_processes`` is below 1.

    Examples
    --------
    >>> launch(["-c", "import os; assert os.environ['WORLD_SIZE'] == '1'"], n_processes=1)
    """
    require_one(n_processes=n_processes)
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=n_processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",  # any free port
        local_addr="127.0.0.1",
        max_restarts=0,
        monitor_interval=0.1,
        shutdown_timeout=SECONDS_TO_END,
    )
    with _variables({LAUNCHED: "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}), _own_signals():
        try:
            elastic_launch(config, sys.executable)(*arguments)
        except ChildFailedError as error:
            raise FailedProcessError(_first_cause(error.failures)) from None
        except SignalException as error:
            raise _ended_by(error.sigval) from error


def is_launched() -> bool:
    """Whether ``launch`` has started this process, and tells for it what there is to tell."""
    return LAUNCHED in os.environ


@contextmanager
def told_by_launcher() -> Iterator[None]:
    """Within a process that ``launch`` has started, errors are left for it to tell: one line."""
    try:
        yield
    except Exception as error:
        if not is_launched():
            raise
        from torch.distributed.elastic.multiprocessing.errors import get_error_handler

        get_error_handler().record_exception(error)
        raise SystemExit(1) from error


def _ended_by(number: int) -> BaseException:
    """As the same signal ends other commands."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def _first_cause(failures: Mapping[int, Any]) -> str:
    """One line on the failure that came first, not on those that followed from it."""
    killed = [
        each for each in failures.values() if each.exitcode < 0 and each.exitcode != -signal.SIGTERM
    ]
    ours = sorted(failures.values(), key=lambda each: (_follows(each), each.timestamp))
    first = (killed or ours)[0]
    if killed:
        return (
            f"the process of rank {_rank(first, failures)} was killed ({first.signal_name()}), and "
            f"the others were ended"
        )
    return _message(first) or f"a process ended with exit code {first.exitcode}"


def _follows(failure: Any) -> bool:
    """Whether a process failed because another had."""
    return failure.exitcode == -signal.SIGTERM or "LostProcessError" in str(failure.message)


def _rank(failure: Any, failures: Mapping[int, Any]) -> int:
    return next(rank for rank, each in failures.items() if each is failure)


def _message(failure: Any) -> str:
    """What ``told_by_launcher`` has kept of an error, without its class."""
    if not isinstance(failure.message, dict):
        return ""
    return str(failure.message["message"]).partition(": ")[2]


@contextmanager
def _own_signals() -> Iterator[None]:
    """Afterwards signals do what they did before; the engine leaves handlers of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _variables(wanted: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for a while; those that are set already stay."""
    added = {"OMP_NUM_THREADS": "1", **wanted}
    added = {name: text for name, text in added.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def main(arguments: Sequence[str]) -> int:
    """Start a program in several processes, and return the exit code.

    Parameters
    ----------
    arguments : sequence of str
        The number of processes, then what Python is to run.
    """
    try:
        launch(arguments[1:], n_processes=int(arguments[0]))
    except (FailedProcessError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
