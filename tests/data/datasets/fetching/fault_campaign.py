"""The long list of faults: ``python -m tests.data.datasets.fetching.fault_campaign``, a minute.

A run survives when the data is there and right; or when the error takes at most six lines, names
the fault and leaves nothing in the cache but what was there, and the next fetch succeeds.
"""

import contextlib
import dataclasses
import datetime
import errno
import io
import os
import random
import re
import socket
import ssl
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import filelock
import trustme

from nbhelpers.data.datasets.fetching.errors import DataUnavailableError
from nbhelpers.data.datasets.fetching.fetch import fetch_from
from nbhelpers.data.datasets.registry import Dataset
from tests.data.datasets.fetching.fault_server import FaultServer, Pause, send, tiny_dataset
from tests.data.datasets.fetching.fault_tools import (
    ARCHIVE,
    BAD_ANSWERS,
    FILES,
    BadAnswer,
    files_in,
    first_words,
    left_in,
    start_child,
    wait_until_reached,
)
from tests.data.datasets.fetching.test_archive import HOSTILE

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
Verdict = tuple[bool, str]
Run = Callable[[Path], Verdict]


def nothing_in(cache: Path) -> bool:
    return not cache.exists() or not left_in(cache)


def fails_well(dataset: Dataset, cache: Path, words: str) -> Verdict:
    """Fetch once and judge the failure, not yet the recovery."""
    try:
        fetch_from(dataset, cache=cache, home=None)
    except DataUnavailableError as err:
        lines = str(err).splitlines()
        good = len(lines) <= 6 and words in str(err) and nothing_in(cache)
        return good, next((line for line in lines if words in line), lines[0])
    return False, "no error"


def recovers(address: str, cache: Path) -> bool:
    folder = fetch_from(tiny_dataset(address), cache=cache, home=None)
    return files_in(folder) == FILES and left_in(cache) == {"tiny"}


def bad_answer(bad: BadAnswer) -> Run:
    def run(cache: Path) -> Verdict:
        with FaultServer(bad.answer) as server:
            with bad.limits():
                good, message = fails_well(tiny_dataset(server.address), cache, bad.words)
            server.answer = send(ARCHIVE)
            return good and recovers(server.address, cache), message

    return run


def broken_network(place: str, err: OSError, words: str) -> Run:
    def run(cache: Path) -> Verdict:
        with FaultServer(send(ARCHIVE)) as server:
            with mock.patch(place, side_effect=err):
                good, message = fails_well(tiny_dataset(server.address), cache, words)
            return good and recovers(server.address, cache), message

    return run


def refused(cache: Path) -> Verdict:
    with FaultServer(send(ARCHIVE)) as server:
        pass
    good, message = fails_well(tiny_dataset(server.address), cache, "connection refused")
    with FaultServer(send(ARCHIVE)) as server:
        return good and recovers(server.address, cache), message


def expired(cache: Path) -> Verdict:
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(str(bundle))
        with mock.patch.dict(os.environ, REQUESTS_CA_BUNDLE=str(bundle)):
            for not_after in (LONG_AGO, None):
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                authority.issue_cert("127.0.0.1", not_after=not_after).configure_cert(tls)
                with FaultServer(send(ARCHIVE), tls=tls) as server:
                    if not_after:
                        dataset = tiny_dataset(server.address)
                        good, message = fails_well(dataset, cache, "certificate has expired")
                        good = good and server.n_requests == 0
                    else:
                        good = good and recovers(server.address, cache)
    return good, message


def kill(share: float, seconds: float) -> Run:
    """Kill a fetch after a share of its download, or some time after all of it."""

    def run(cache: Path) -> Verdict:
        pause = Pause(ARCHIVE, share)
        with FaultServer(pause) as server:
            child = start_child(server.address, cache)
            wait_until_reached(pause, child)
            time.sleep(seconds)
            child.kill()
            child.communicate()
            cut_short = not (cache / "tiny").exists()
            server.answer = send(ARCHIVE)
            good = recovers(server.address, cache)
        return good, "fetched again" if cut_short else "was complete"

    return run


def flip(rng: random.Random) -> Run:
    def run(cache: Path) -> Verdict:
        with FaultServer(send(ARCHIVE)) as server:
            folder = fetch_from(tiny_dataset(server.address), cache=cache, home=None)
            path = rng.choice(sorted(folder.iterdir()))
            content = bytearray(path.read_bytes())
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            path.write_bytes(content)
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                good = recovers(server.address, cache)
            line = said.getvalue().splitlines()[0] if said.getvalue() else "not noticed"
            return good and server.n_requests == 2 and "is damaged" in line, line

    return run


def full_disk(limit: int) -> Run:
    def run(cache: Path) -> Verdict:
        with FaultServer(send(ARCHIVE)) as server:
            child = start_child(server.address, cache, str(limit))
            err = child.communicate()[1]
            good = child.returncode == 1 and "the disk is full" in err and nothing_in(cache)
            message = next((line for line in err.splitlines() if "cannot be written" in line), err)
            return good and recovers(server.address, cache), message.replace(str(cache), "CACHE")

    return run


def read_only(cache: Path) -> Verdict:
    """A home that nobody may write to; as root the refusal is simulated."""
    cache.mkdir(mode=0o555)
    refusal = PermissionError(errno.EACCES, "Permission denied")
    simulated = mock.patch.object(filelock.FileLock, "acquire", side_effect=refusal)
    with FaultServer(send(ARCHIVE)) as server:
        with simulated if os.geteuid() == 0 else contextlib.nullcontext():
            good, message = fails_well(tiny_dataset(server.address), cache, "permission denied")
        good = good and server.n_requests == 0
        cache.chmod(0o755)
        return good and recovers(server.address, cache), message.replace(str(cache), "CACHE")


def crowd(cache: Path) -> Verdict:
    pause = Pause(ARCHIVE, 0.5)
    with FaultServer(pause) as server:
        children = [start_child(server.address, cache) for _ in range(12)]
        good = first_words(children) == {"trying": 1, "waitin": 11}
        pause.go_on.set()
        for child in children:
            child.communicate()
        good = good and all(child.returncode == 0 for child in children)
        good = good and files_in(cache / "tiny") == FILES and left_in(cache) == {"tiny"}
        return good and server.n_requests == 1, f"downloads: {server.n_requests}"


def stale_lock(cache: Path) -> Verdict:
    """The lock file of an owner that was killed while it held the lock is not waited for."""
    pause = Pause(ARCHIVE, 0.5)
    with FaultServer(pause) as server:
        child = start_child(server.address, cache)
        wait_until_reached(pause, child)
        child.kill()
        child.communicate()
        (cache / ".tiny.lock").write_text("4194303\n")
        server.answer = send(ARCHIVE)
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            good = recovers(server.address, cache)
        return good and "waiting" not in said.getvalue(), "fetched"


def hostile(content: bytes, words: str) -> Run:
    def run(cache: Path) -> Verdict:
        with FaultServer(send(content)) as server:
            dataset = tiny_dataset(server.address)
            members = {"u.data": 400, "u.item": 400}
            members = {
                name: dataclasses.replace(dataset.members["ratings.csv"], max_bytes=size)
                for name, size in members.items()
            }
            loose = dataclasses.replace(dataset, digest=None, members=members)
            good, message = fails_well(loose, cache, words)
            server.answer = send(ARCHIVE)
            return good and recovers(server.address, cache), message

    return run


def campaign() -> Iterator[tuple[str, list[Run]]]:
    """Yield each fault with its runs."""
    rng = random.Random(2)
    no_name = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    no_network = OSError(errno.ENETUNREACH, "Network is unreachable")
    yield "no network", [broken_network("socket.socket.connect", no_network, "no network")] * 5
    yield "name not resolved", [broken_network("socket.getaddrinfo", no_name, "name not found")] * 5
    yield "refused", [refused] * 5
    yield "expired certificate", [expired] * 5
    for name, bad in BAD_ANSWERS.items():
        yield name, [bad_answer(bad)] * 5
    yield "killed while it downloads", [kill(rng.random(), 0.0) for _ in range(10)]
    yield "killed at its end", [kill(1.0, rng.uniform(0.0, 0.03)) for _ in range(10)]
    yield "bit flipped", [flip(rng) for _ in range(100)]
    yield "full disk", [full_disk(limit) for limit in (0, 1, 1000, 20_000, len(ARCHIVE), 150_000)]
    yield "read-only home", [read_only] * 5
    yield "12 processes", [crowd] * 5
    yield "stale lock", [stale_lock] * 5
    yield (
        "hostile archive",
        [
            hostile(*case)
            for name, case in HOSTILE.items()
            if name not in ("web page", "empty file")
        ],
    )


def seen(verdicts: list[Verdict]) -> str:
    """The most common messages, those of runs not survived first."""
    lost = [text for good, text in verdicts if not good] or [text for _, text in verdicts]
    counts = Counter(re.sub(r"127.0.0.1:\d+", "HOST", text.strip("- ")) for text in lost)
    more = f" ... ({len(counts)} kinds)" if len(counts) > 3 else ""
    return "; ".join(f"{text} ({n})" for text, n in counts.most_common(3)) + more


@mock.patch.dict(os.environ, NO_PROXY="*", CI="true", CF_DOWNLOAD_TIMEOUT="")
def main() -> int:
    """Run all faults and print a table; the exit code is the number of faults not survived."""
    print("| fault | runs | survived | what the reader sees |\n| --- | --- | --- | --- |")
    n_lost = 0
    for name, runs in campaign():
        verdicts = []
        for run in runs:
            with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
                stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
                try:
                    verdicts.append(run(Path(folder) / "cache"))
                except Exception as err:
                    verdicts.append((False, f"{type(err).__name__}: {err}"))
        n_survived = sum(good for good, _ in verdicts)
        n_lost += n_survived < len(runs)
        print(f"| {name} | {len(runs)} | {n_survived} | {seen(verdicts)} |", flush=True)
    return n_lost


if __name__ == "__main__":
    sys.exit(main())
