"""Fixtures of the tests of fetching."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.datasets.fetching.fault_server import FaultServer, send
from tests.data.datasets.fetching.fault_tools import ARCHIVE


@pytest.fixture
def quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's owner, no proxy, no progress bar."""
    for name in ("CF_CACHE_HOME", "CF_DATA_HOME", "CF_DOWNLOAD_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("CI", "true")


@pytest.fixture
def server(quiet_environment: None) -> Iterator[FaultServer]:
    """A server that publishes the tiny data set."""
    with FaultServer(send(ARCHIVE)) as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path, quiet_environment: None) -> Path:
    """A cache folder that does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of the user's with an empty folder for the tiny data set."""
    (tmp_path / "home" / "tiny").mkdir(parents=True)
    return tmp_path / "home"
