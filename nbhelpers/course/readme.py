"""The parts of the README that are made from files: notebooks with their run times, results."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nbhelpers.course.execute import REPORT
from nbhelpers.course.jupytext_pairs import sources
from nbhelpers.course.results import read_results, results_markdown


def refresh(readme: Path) -> bool:
    """Rewrite the marked sections of a README from the files beside it.

    A section stands between ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->``.

    Parameters
    ----------
    readme : Path

    Returns
    -------
    bool
        Whether anything changed.

    Raises
    ------
    ValueError
        If a mark is missing.
    """
    text = readme.read_text(encoding="utf-8")
    fresh = refreshed(text, readme.parent / "notebooks")
    if fresh == text:
        return False
    readme.write_text(fresh, encoding="utf-8")
    return True


def refreshed(text: str, notebooks: Path) -> str:
    """Text of a README with its sections made anew.

    Parameters
    ----------
    text : str
    notebooks : Path
        The folder that holds notebooks, run report and honest table.

    Returns
    -------
    str
    """
    sections = {
        "notebooks": notebook_table(notebooks),
        "honest table": results_markdown(read_results(notebooks / "honest_table.csv")),
    }
    for name, content in sections.items():
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"the README needs the marks {begin} and {end}, once each")
        head, rest = text.split(begin)
        text = f"{head}{begin}\n{content}\n{end}{rest.split(end)[1]}"
    return text


def notebook_table(folder: Path) -> str:
    """Notebooks with title, seconds and peak memory as Markdown.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
    """
    report = pd.read_csv(folder / REPORT, index_col="notebook")
    lines = ["| notebook | title | run | peak memory |", "| --- | --- | --- | --- |"]
    for path in sources(folder):
        text = path.read_text(encoding="utf-8")
        title = next(line[2:] for line in text.splitlines() if line.startswith("# "))
        link = f"[{path.stem}](notebooks/{path.stem}.ipynb)"
        took = ["not run yet", ""]
        if path.stem in report.index:
            seconds, peak_mb = report.loc[path.stem]
            took = [f"{seconds:.0f} s", f"{peak_mb:.0f} MB"]
        lines.append("| " + " | ".join([link, title, *took]) + " |")
    return "\n".join(lines)
