"""The parts of the README and of other documents that are made from files."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pandas as pd

from nbhelpers.commands.one_protocol import table_text
from nbhelpers.course.execute import REPORT
from nbhelpers.course.jupytext_pairs import labs, lessons, notebook_named, sources
from nbhelpers.course.results import TABLE, read_results, results_markdown
from nbhelpers.course.scaling_table import NAME as SCALING
from nbhelpers.course.scaling_table import read_scaling_table
from nbhelpers.course.scaling_text import scaling_markdown

BEGIN = re.compile(r"<!-- begin: (.+?) -->")
IMAGE = re.compile(r'<img alt="(?P<alt>[^"]*)"[^>]*base64,(?P<png>[^"]*)"')
# What is built, as the first lesson draws it; seen from the root.
PICTURE = "docs/rating_matrix.png"
# Ways through the course, by the numbers of the lessons.
PATHS = {
    "One hour": ["00", "01"],
    "Half a day": ["00", "01", "02", "03", "04", "05"],
    "The course": ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10"],
    "Engineer with data of her own": ["00", "05", "06", "08", "10"],
    "Engineer with a large log": ["00", "05", "06", "09", "10"],
}
# The rows of the honest table that the README shows: notebook, model, split, metric.
RANDOM, NEXT = "random 80/20", "last like out, all films, rated ones masked"
LIKES, MAP = "stratified 80/10/10, all films, rated ones masked", "MAP@10, min(10, positives)"
TOP_ROWS = [
    ("01", "bias baseline", RANDOM, "MSE"),
    ("01", "dot product + range + biases", RANDOM, "MSE"),
    ("01_weight_decay", "DotProductBias, penalty in the loss", RANDOM, "MSE"),
    ("04_network_budget", "library network", RANDOM, "MSE"),
    ("04_svdpp", "SVD++", RANDOM, "MSE"),
    ("04_svdpp", "SVD++ with days, day known", RANDOM, "MSE"),
    ("05", "popularity", NEXT, "HR@10"),
    ("05", "EASE", NEXT, "HR@10"),
    ("06", "popularity", LIKES, MAP),
    ("06", "IALS", LIKES, MAP),
]


def refresh(document: Path, folder: Path) -> bool:
    """Rewrite the marked sections of a document from the files of the course.

    A section stands between ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->``.

    Parameters
    ----------
    document : Path
        A Markdown file.
    folder : Path
        The folder ``notebooks``.

    Returns
    -------
    bool
        Whether anything changed.

    Raises
    ------
    ValueError
        If a section is not closed, or nobody knows how to make it.
    """
    text = document.read_text(encoding="utf-8")
    if "<!-- begin: picture -->" in text:
        (folder.parent / PICTURE).write_bytes(first_picture(folder)[1])
    fresh = refreshed(text, folder, start="../" if document.parent.name == "docs" else "")
    if fresh == text:
        return False
    document.write_text(fresh, encoding="utf-8")
    return True


def refreshed(text: str, folder: Path, *, start: str = "") -> str:
    """Text of a document with its sections made anew.

    Parameters
    ----------
    text : str
    folder : Path
        The folder that holds notebooks, run report and honest table.
    start : str
        What leads from the document to the root of the repository: "" or "../".

    Returns
    -------
    str
    """
    for name in BEGIN.findall(text):
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        if name not in SECTIONS:
            raise ValueError(f"no section is called {name!r}; there are {sorted(SECTIONS)}")
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"the document needs the marks {begin} and {end}, once each")
        head, rest = text.split(begin)
        text = f"{head}{begin}\n{SECTIONS[name](folder, start)}\n{end}{rest.split(end)[1]}"
    return text


def reading_minutes(path: Path) -> int:
    """Minutes that the header of a notebook asks of a reader.

    Parameters
    ----------
    path : Path
        The ``.md``.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the header names none.
    """
    said = re.search(r"\*\*Time\*\* (?:about )?(\d+) minutes", path.read_text(encoding="utf-8"))
    if not said:
        raise ValueError(f"{path.name} says no **Time** N minutes to read in its header")
    return int(said.group(1))


def title_of(path: Path) -> str:
    """Title of a notebook.

    Parameters
    ----------
    path : Path
        The ``.md``.

    Returns
    -------
    str
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(line[2:] for line in lines if line.startswith("# "))


def _lesson_table(folder: Path, start: str) -> str:
    return _reading_table(["", "lesson", "read"], lessons(folder), folder, start)


def _lab_table(folder: Path, start: str) -> str:
    return _reading_table(["after", "lab", "read"], labs(folder), folder, start)


def _reading_table(heads: list[str], paths: list[Path], folder: Path, start: str) -> str:
    """Number, title and minutes of notebooks."""
    rows = [
        [path.stem.split("_")[0], _link(path, folder, start), f"{reading_minutes(path)} min"]
        for path in paths
    ]
    return _table(heads, rows)


def _path_table(folder: Path, start: str) -> str:
    rows = []
    for name, numbers in PATHS.items():
        found = [notebook_named(number, folder) for number in numbers]
        minutes = sum(map(reading_minutes, found))
        links = ", ".join(f"[{path.stem[:2]}]({_address(path, folder, start)})" for path in found)
        rows.append([name, links, f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"])
    return _table(["path", "lessons", "read"], rows)


def _run_table(folder: Path, start: str) -> str:
    report = pd.read_csv(folder / REPORT, index_col="notebook")
    rows = []
    for path in sources(folder):
        took = ["not run yet", ""]
        if path.stem in report.index:
            seconds, peak_mb = report.loc[path.stem]
            took = [f"{seconds:.0f} s", f"{peak_mb:.0f} MB"]
        rows.append([f"[{path.stem}]({_address(path, folder, start)})", *took])
    return _table(["notebook", "run", "peak memory"], rows)


def _top_table(folder: Path, start: str) -> str:
    results = read_results(folder / TABLE).set_index(["notebook", "model", "split", "metric"])
    rows = []
    for key in TOP_ROWS:
        row = results.xs(key)
        interval = f"{row.low:.3f} to {row.high:.3f}"
        path = notebook_named(key[0], folder)
        link = f"[{key[0]}]({_address(path, folder, start)})"
        rows.append([key[1], key[2], key[3], f"{row.value:.3f}", interval, link])
    heads = ["model", "split of MovieLens-100K", "metric", "value", "95 % interval", "made in"]
    return _table(heads, rows)


def _all_results(folder: Path, start: str) -> str:
    return results_markdown(read_results(folder / TABLE))


def _one_protocol(folder: Path, start: str) -> str:
    table = table_text.read_protocol_table(folder / table_text.NAME)
    return table_text.protocol_markdown(table)


def _scaling(folder: Path, start: str) -> str:
    return scaling_markdown(read_scaling_table(folder / SCALING))


def _picture(folder: Path, start: str) -> str:
    alt, _ = first_picture(folder)
    return f"![{alt}]({start}{PICTURE})"


def first_picture(folder: Path) -> tuple[str, bytes]:
    """The first figure that the first lesson shows: its text, and the PNG.

    Parameters
    ----------
    folder : Path
        The folder ``notebooks``.

    Returns
    -------
    alt : str
    png : bytes

    Raises
    ------
    ValueError
        If the stored lesson shows none.
    """
    notebook = nbformat.read(lessons(folder)[0].with_suffix(".ipynb"), as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            found = IMAGE.search(output.get("data", {}).get("text/html", ""))
            if found:
                return html.unescape(found["alt"]), base64.b64decode(found["png"])
    raise ValueError(f"{lessons(folder)[0].stem} shows no figure yet: run it first")


SECTIONS: dict[str, Callable[[Path, str], str]] = {
    "picture": _picture,
    "lessons": _lesson_table,
    "labs": _lab_table,
    "paths": _path_table,
    "run times": _run_table,
    "top results": _top_table,
    "honest table": _all_results,
    "one protocol": _one_protocol,
    "scaling": _scaling,
}


def _link(path: Path, folder: Path, start: str) -> str:
    return f"[{title_of(path)}]({_address(path, folder, start)})"


def _address(path: Path, folder: Path, start: str) -> str:
    place = path.relative_to(folder.parent).with_suffix(".ipynb")
    return start + place.as_posix()


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
