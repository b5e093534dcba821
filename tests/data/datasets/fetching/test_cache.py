"""The cache survives crowds, kills, damage and full disks."""

import dataclasses
import errno
import random
from pathlib import Path

import filelock
import pytest

from nbhelpers.data.datasets.fetching import http
from nbhelpers.data.datasets.fetching.cache import lock
from nbhelpers.data.datasets.fetching.errors import DataUnavailableError
from nbhelpers.data.datasets.fetching.fetch import fetch_from, source_of
from nbhelpers.data.datasets.registry import Member
from tests.data.datasets.fetching.fault_server import (
    FaultServer,
    Pause,
    send,
    sha256,
    tiny_dataset,
)
from tests.data.datasets.fetching.fault_tools import (
    ARCHIVE,
    FILES,
    failure_of,
    files_in,
    first_words,
    left_in,
    refuse,
    start_child,
    wait_until_reached,
)


@pytest.fixture
def never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fetch in this process fails where it would say that it waits for another one."""
    say = "nbhelpers.data.datasets.fetching.cache.say"
    monkeypatch.setattr(say, refuse(AssertionError("waits for a lock")))


# Crowds, kills and locks
@pytest.mark.parametrize("n_processes", [5, pytest.param(40, marks=pytest.mark.slow)])
def test_crowd_of_processes_makes_one_download(n_processes: int, cache: Path):
    pause = Pause(ARCHIVE, 0.5)
    with FaultServer(pause) as server:
        children = [start_child(server.address, cache) for _ in range(n_processes)]
        assert first_words(children) == {"trying": 1, "waitin": n_processes - 1}
        pause.go_on.set()
        outputs = [child.communicate() for child in children]
        assert server.n_requests == 1
    assert [child.returncode for child in children] == [0] * n_processes, outputs
    assert {out.strip() for out, _ in outputs} == {str(cache / "tiny")}
    assert left_in(cache) == {"tiny"}


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.usefixtures("never_waits")
def test_killed_fetch_leaves_neither_a_lock_nor_files(share: float, cache: Path):
    pause = Pause(ARCHIVE, share)
    with FaultServer(pause) as server:
        child = start_child(server.address, cache)
        wait_until_reached(pause, child)
        child.kill()
        child.communicate()
        assert {name[: len(".partial")] for name in left_in(cache)} == {".partial"}
        server.answer = send(ARCHIVE)
        folder = fetch_from(tiny_dataset(server.address), cache=cache, home=None)
    assert files_in(folder) == FILES
    assert left_in(cache) == {"tiny"}


def test_leftover_of_a_fetch_killed_at_its_end_is_cleared(server: FaultServer, cache: Path):
    dataset = tiny_dataset(server.address)
    fetch_from(dataset, cache=cache, home=None)
    (cache / ".partial-tiny-x").mkdir()
    (cache / ".partial-tiny-x" / "tiny.zip").write_bytes(b"half")
    fetch_from(dataset, cache=cache, home=None)
    assert left_in(cache) == {"tiny"}


def test_work_of_a_living_process_is_not_cleared(server: FaultServer, cache: Path):
    dataset = tiny_dataset(server.address)
    fetch_from(dataset, cache=cache, home=None)
    (cache / ".partial-tiny-x").mkdir()
    with filelock.FileLock(cache / ".tiny.lock"):
        fetch_from(dataset, cache=cache, home=None)
    assert left_in(cache) == {"tiny", ".partial-tiny-x"}


@pytest.mark.usefixtures("never_waits")
def test_stale_lock_file_is_not_waited_for(server: FaultServer, cache: Path):
    cache.mkdir()
    (cache / ".tiny.lock").write_text("4194303\nhost\n")
    assert files_in(fetch_from(tiny_dataset(server.address), cache=cache, home=None)) == FILES


@pytest.mark.timeout(60)
def test_waiting_for_another_process_has_an_end(cache: Path, capsys):
    cache.mkdir()
    with (
        filelock.FileLock(cache / ".tiny.lock"),
        pytest.raises(DataUnavailableError, match=r"fetching it for 0[.]2 seconds"),
        lock(cache / "tiny", seconds=0.2),
    ):
        pass
    assert "tiny: waiting for another process" in capsys.readouterr().err


# Damage
def test_every_flipped_bit_is_noticed_and_mended(server: FaultServer, cache: Path, capsys):
    rng = random.Random(11)
    dataset = tiny_dataset(server.address)
    folder = fetch_from(dataset, cache=cache, home=None)
    names = [*FILES, "manifest.json"]
    for n_flips in range(1, 37):
        path = folder / names[n_flips % 3]
        content = bytearray(path.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        capsys.readouterr()
        assert files_in(fetch_from(dataset, cache=cache, home=None)) == FILES
        assert "the copy in the cache is damaged" in capsys.readouterr().err
        assert server.n_requests == 1 + n_flips
    assert left_in(cache) == {"tiny"}


def test_damaged_manifest_does_not_condemn_files_with_a_known_checksum(server, cache: Path):
    dataset = tiny_dataset(server.address)
    pinned = {name: Member(len(text), sha256(text)) for name, text in FILES.items()}
    dataset = dataclasses.replace(dataset, members=pinned)
    folder = fetch_from(dataset, cache=cache, home=None)
    (folder / "manifest.json").write_text("{}")
    assert fetch_from(dataset, cache=cache, home=None) == folder
    assert server.n_requests == 1
    assert source_of(folder) == "unrecorded source"


def test_damaged_copy_is_kept_but_never_used_when_no_source_answers(server, cache: Path):
    dataset = tiny_dataset(server.address)
    folder = fetch_from(dataset, cache=cache, home=None)
    (folder / "movies.csv").write_bytes(b"half a f")
    server.answer = send(b"", status=503)
    message = failure_of(dataset, cache)
    assert "cache: movies.csv differs from its checksum; kept, not used" in message
    assert (folder / "movies.csv").read_bytes() == b"half a f"
    assert (folder / "ratings.csv").read_bytes() == FILES["ratings.csv"]


def test_missing_file_is_fetched_again(server: FaultServer, cache: Path):
    dataset = tiny_dataset(server.address)
    folder = fetch_from(dataset, cache=cache, home=None)
    (folder / "ratings.csv").unlink()
    assert files_in(fetch_from(dataset, cache=cache, home=None)) == FILES


# Disks
def test_full_disk_is_said_and_leaves_nothing(server: FaultServer, cache: Path):
    child = start_child(server.address, cache, "50000")
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "cannot be written: the disk is full" in err
    assert "Set CF_CACHE_HOME to a folder" in err
    assert left_in(cache) == set()


def test_disk_that_fills_during_the_download_is_said(server, cache: Path, monkeypatch):
    full = refuse(OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(http._Sink, "write", full)
    assert "the disk is full" in failure_of(tiny_dataset(server.address), cache)
    assert left_in(cache) == set()


def test_cache_that_cannot_be_made_is_said_before_any_download(server, tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    message = failure_of(tiny_dataset(server.address), tmp_path / "file" / "cache")
    assert "cannot be written: not a directory" in message
    assert "Set CF_CACHE_HOME" in message
    assert server.n_requests == 0


def test_read_only_cache_is_said(server, cache: Path, monkeypatch):
    read_only = refuse(OSError(errno.EROFS, "Read-only file system"))
    monkeypatch.setattr(Path, "mkdir", read_only)
    assert "cannot be written: read-only file system" in failure_of(
        tiny_dataset(server.address), cache
    )


def test_filled_cache_is_used_without_writing(server: FaultServer, cache: Path, monkeypatch):
    dataset = tiny_dataset(server.address)
    folder = fetch_from(dataset, cache=cache, home=None)
    monkeypatch.setattr(Path, "mkdir", refuse(OSError(errno.EROFS, "Read-only file system")))
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse(OSError(errno.EROFS, "Read-only")))
    assert fetch_from(dataset, cache=cache, home=None) == folder
