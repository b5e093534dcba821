"""Verdicts of nbval that a notebook's reader would agree with.

nbval 0.11 calls a cell green that printed its error instead of raising it (a misspelt magic ends
its cell in silence), that went on after its time was up, or that only came after such a cell
(`XPASS`); and it waits for a dead kernel until the time is up. This plugin turns all of them red.
The root `conftest.py` loads it.
"""

import re
import time
from queue import Empty

import pytest

try:
    from nbval.plugin import IPyNbCell
except ImportError:  # without nbval no notebook is collected
    IPyNbCell = ()

REPLY = pytest.StashKey[dict]()
BROKEN = pytest.StashKey[str]()
# nbval waits five seconds for the outputs of a cell that is done: too few on a busy machine.
OUTPUT_SECONDS = 120
TOLD_ON_STDERR = re.compile(r"^(Traceback \(most recent call last\):|UsageError: )", re.M)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Nothing is judged after the cell that broke the notebook."""
    if isinstance(item, IPyNbCell) and BROKEN in item.parent.stash:
        item.raise_cell_error(f"Not run: {item.parent.stash[BROKEN]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Run a cell under watch, then ask whether it really ended well."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    item.output_timeout = max(item.output_timeout, OUTPUT_SECONDS)
    kernel = item.parent.kernel
    kernel.await_reply = lambda msg_id, timeout=None: _await_reply(item, kernel, msg_id, timeout)
    try:
        result = yield
    finally:
        if item.parent.timed_out:
            item.parent.stash.setdefault(BROKEN, f"cell {item.cell_num} took too long")
    if BROKEN in item.parent.stash:
        item.raise_cell_error(item.parent.stash[BROKEN])
    if not item.options["skip"]:
        _judge(item, item.stash[REPLY])
    return result


def _await_reply(item, kernel, msg_id, timeout):
    """Wait for the end of a cell, but not for a kernel that is dead."""
    end = time.monotonic() + timeout
    while True:
        try:
            message = kernel.get_message(stream="shell", timeout=1)
        except Empty:
            if not kernel.is_alive():
                item.parent.stash[BROKEN] = f"the kernel died in cell {item.cell_num}"
                item.raise_cell_error(item.parent.stash[BROKEN])
            if time.monotonic() > end:
                raise
            continue
        if message["parent_header"].get("msg_id") == msg_id:
            item.stash[REPLY] = message["content"]
            return


def _judge(item, reply):
    """Compare how a cell ended with how it is meant to end."""
    failed, meant = reply["status"] != "ok", item.options["check_exception"]
    if failed and not meant:
        item.raise_cell_error(f"Ended in {reply.get('ename')}: {reply.get('evalue')}")
    if meant and not failed:
        item.raise_cell_error("Tagged raises-exception, and nothing was raised")
    told = "".join(out.text for out in item.test_outputs if out.get("name") == "stderr")
    if TOLD_ON_STDERR.search(told):
        item.raise_cell_error(f"An error was printed, not raised:\n{told[-2000:]}")
