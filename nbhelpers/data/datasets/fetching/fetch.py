"""Fetch a data set once: cache, lock, then each source in turn: collect, verify, publish."""

from pathlib import Path

from nbhelpers.data.datasets.fetching.cache import cache_home, lock, publish, staging_dir, tidy
from nbhelpers.data.datasets.fetching.errors import (
    DataUnavailableError,
    SourceError,
    cache_not_writable,
    in_few_words,
    no_source_left,
    say,
)
from nbhelpers.data.datasets.fetching.http import time_limit
from nbhelpers.data.datasets.fetching.sources import (
    DATA_HOME,
    Source,
    data_home,
    ready_folder,
    sources,
)
from nbhelpers.data.datasets.fetching.verify import (
    fault_in,
    read_manifest,
    verify_files,
    write_manifest,
)
from nbhelpers.data.datasets.registry import DATASETS, Dataset


def fetch(name: str) -> Path:
    """Folder that holds the verified files of a data set, fetched once and then kept.

    Parameters
    ----------
    name : str
        ``"ml-100k"``, ``"ml-latest-small"``, ``"ml-1m"``, ``"ml-25m"`` or ``"ml-32m"``.

    Returns
    -------
    Path
        A folder with the published files, e.g. ``u.data``, ``u.item`` and ``u.user``.

    Raises
    ------
    ValueError
        If ``name`` is no known data set.
    DataUnavailableError
        If no source could give it. Other data is never taken in its place.

    Notes
    -----
    Environment variables: ``CF_CACHE_HOME`` is where data sets are kept, ``CF_DATA_HOME`` a folder
    of yours in which to look first, ``CF_DOWNLOAD_TIMEOUT`` the seconds each download may take.
    """
    if name not in DATASETS:
        raise ValueError(f"name must be one of {', '.join(DATASETS)}; got {name!r}")
    return fetch_from(DATASETS[name], cache=cache_home(), home=data_home())


def fetch_from(dataset: Dataset, *, cache: Path, home: Path | None) -> Path:
    """Folder with the verified files of ``dataset``, kept in ``cache``; looks in ``home`` first.

    Raises
    ------
    DataUnavailableError
        If no source could give the data set, or the cache cannot be written.
    """
    folder = cache / dataset.name
    if fault_in(folder, dataset) is None:
        tidy(folder)
        return folder
    seconds = 3 * time_limit(dataset.archive_bytes) + 60
    try:
        with lock(folder, seconds=seconds):
            _fill(folder, dataset, home)
        return folder
    except DataUnavailableError:
        raise
    except (OSError, NotImplementedError) as err:
        return _in_place(dataset, cache, home, err=err)


def source_of(folder: Path) -> str:
    """Where the files in a folder that `fetch` returned came from, in a few words."""
    manifest = read_manifest(folder)
    return str(manifest["source"]) if manifest else "unrecorded source"


def _fill(folder: Path, dataset: Dataset, home: Path | None) -> None:
    """Publish a data set in ``folder`` from the first source that has it."""
    fault = fault_in(folder, dataset)
    if fault is None:  # another process filled it while this one waited for the lock
        return
    failures = {"cache": ["empty"]}
    if folder.exists():
        failures["cache"] = [f"{fault}; kept, not used"]
        say(f"{dataset.name}: the copy in the cache is damaged ({fault}), fetching it again")
    for source in sources(dataset, home):
        say(f"{dataset.name}: trying {source.label} ...", end=" ")
        try:
            edition = _fill_from(source, folder, dataset)
        except SourceError as err:
            say(str(err))
            failures.setdefault(source.label, []).append(str(err))
        except OSError as err:
            say(in_few_words(err))
            raise
        else:
            say(_joined("fetched and verified", edition))
            return
    raise no_source_left(dataset, failures)


def _fill_from(source: Source, folder: Path, dataset: Dataset) -> str:
    """Publish the files of one source in ``folder`` once they are complete; their edition."""
    with staging_dir(folder) as staging:
        source.collect(staging)
        edition = verify_files(staging, dataset)
        write_manifest(staging, dataset, _joined(source.title, edition))
        publish(staging, folder)
    return edition


def _joined(text: str, edition: str) -> str:
    return f"{text}, {edition}" if edition else text


def _in_place(dataset: Dataset, cache: Path, home: Path | None, *, err: Exception) -> Path:
    """Ready files in the user's folder, used where they are because nothing can be kept."""
    reason = in_few_words(err)
    ready = ready_folder(home, dataset) if home else None
    if ready:
        try:
            verify_files(ready, dataset)
        except (SourceError, OSError) as fault:
            reason += f"; {DATA_HOME}: {in_few_words(fault)}"
        else:
            why = f"the cache cannot be written ({reason})"
            say(f"{dataset.name}: {why}, using {DATA_HOME} in place")
            return ready
    raise cache_not_writable(dataset, cache, reason) from err
