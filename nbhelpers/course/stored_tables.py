"""Tables of runs that are too long for a page, stored beside the lessons or the labs."""

from __future__ import annotations

import contextlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]


def stored_table(name: str) -> pd.DataFrame:
    """Table of a long run, as it was published with the course.

    Parameters
    ----------
    name : str
        Name of the file without its ending.

    Returns
    -------
    DataFrame
        From this folder, the labs or the lessons of the repository, or what was installed with
        the package, whichever comes first.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> stored_table("08_seeds_and_budgets_trials").columns.tolist()
    ['model', 'trial', 'valid', 'seconds', 'settings']
    """
    folders = (Path(), ROOT / "notebooks" / "labs", ROOT / "notebooks")
    places = [folder / f"{name}.csv" for folder in folders]
    with contextlib.suppress(PackageNotFoundError):
        installed = distribution("nbhelpers").files or []
        places += [Path(str(file.locate())) for file in installed if file.stem == name]
    for place in places:
        if place.exists():
            return pd.read_csv(place)
    raise ValueError(f"no {name}.csv is here or came with the package: run inside the course")
