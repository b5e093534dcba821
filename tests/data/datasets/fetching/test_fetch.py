"""Fetching gives the published files once, and says where from."""

import dataclasses
import os
import stat
from pathlib import Path

import pytest

from nbhelpers.data.datasets.fetching.cache import cache_home
from nbhelpers.data.datasets.fetching.fetch import fetch, fetch_from, source_of
from nbhelpers.data.datasets.fetching.verify import fault_in
from nbhelpers.data.datasets.registry import DATASETS
from tests.data.datasets.fetching import fault_campaign
from tests.data.datasets.fetching.fault_server import (
    FaultServer,
    tiny_dataset,
)
from tests.data.datasets.fetching.fault_tools import (
    FILES,
    failure_of,
    files_in,
    left_in,
)


def test_files_are_those_that_were_published(server: FaultServer, cache: Path):
    folder = fetch_from(tiny_dataset(server.address), cache=cache, home=None)
    assert folder == cache / "tiny"
    assert files_in(folder) == FILES
    assert left_in(cache) == {"tiny"}
    assert source_of(folder) == "GroupLens archive"


def test_nothing_but_published_files_and_their_manifest_is_kept(server: FaultServer, cache: Path):
    folder = fetch_from(tiny_dataset(server.address), cache=cache, home=None)
    assert {path.name for path in folder.iterdir()} == {*FILES, "manifest.json"}


def test_second_fetch_asks_nobody_and_says_nothing(server: FaultServer, cache: Path, capsys):
    dataset = tiny_dataset(server.address)
    fetch_from(dataset, cache=cache, home=None)
    assert "trying 127.0.0.1" in capsys.readouterr().err
    fetch_from(dataset, cache=cache, home=None)
    assert server.n_requests == 1
    assert capsys.readouterr() == ("", "")


def test_group_and_others_can_read(server: FaultServer, cache: Path):
    before = os.umask(0o022)
    try:
        folder = fetch_from(tiny_dataset(server.address), cache=cache, home=None)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}


def test_umask_is_respected(server: FaultServer, cache: Path):
    before = os.umask(0o077)
    try:
        folder = fetch_from(tiny_dataset(server.address), cache=cache, home=None)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_md5_is_checked_where_only_md5_is_published(server: FaultServer, cache: Path):
    wrong = dataclasses.replace(tiny_dataset(server.address), digest="md5:" + "0" * 32)
    assert "tiny.zip differs from its checksum" in failure_of(wrong, cache)


def test_unknown_data_set_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"one of ml-100k, .*ml-32m; got 'ml-100m'"):
        fetch("ml-100m")


def test_real_files_in_the_cache_are_the_official_ones():
    folder = cache_home() / "ml-100k"
    if not folder.exists():
        pytest.skip("ml-100k is not in the cache: `make data` fetches it")
    assert fault_in(folder, DATASETS["ml-100k"]) is None
    assert (folder / "u.data").read_bytes().startswith(b"196\t242\t3\t881250949\n")


@pytest.mark.slow
def test_every_fault_of_the_campaign_is_survived(capsys):
    assert fault_campaign.main() == 0, capsys.readouterr().out
