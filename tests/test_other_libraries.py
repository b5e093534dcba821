"""`docs/from_other_libraries.md`: our lines run, theirs where the library is installed."""

import importlib.util
import re
from pathlib import Path

import pytest

from nbhelpers.data.datasets.synthetic import make_ratings

PAGE = Path(__file__).parents[1].joinpath("docs", "from_other_libraries.md")
TEXT = PAGE.read_text(encoding="utf-8")
START, *SECTIONS = re.split(r"^## ", TEXT, flags=re.M)
ROW = re.compile(r"^\| `(?P<theirs>[^`]+)` \| `(?P<ours>[^`]+)` \|$", re.M)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
RUNS = {"implicit", "fastai"}


def name_of(section):
    return section.split("\n", 1)[0]


@pytest.fixture
def world(monkeypatch, tmp_path):
    made = make_ratings(n_users=60, n_items=200, n_ratings=3_000, rng=0)
    monkeypatch.setattr("nbhelpers.data.datasets.load.load_ratings", lambda: made.ratings)
    monkeypatch.setattr("nbhelpers.data.datasets.load.load_items", lambda: made.items)
    monkeypatch.chdir(tmp_path)
    names = {}
    (setup,) = BLOCK.findall(START)
    exec(setup, names)
    return names


def execute(lines, names):
    for line in lines:
        try:
            exec(line, names)
        except Exception as error:
            error.add_note(f"in the line: {line}")
            raise


@pytest.mark.parametrize("section", SECTIONS, ids=name_of)
def test_our_lines_run_in_their_order(section, world):
    rows = ROW.findall(section)
    assert len(rows) >= 7
    execute(BLOCK.findall(section), world)
    execute([ours for _, ours in rows], world)


@pytest.mark.parametrize("section", [s for s in SECTIONS if name_of(s) in RUNS], ids=name_of)
def test_their_lines_run_where_the_library_is_installed(section, world):
    if importlib.util.find_spec(name_of(section)) is None:
        pytest.skip(f"{name_of(section)} is not installed")
    execute(BLOCK.findall(section), world)
    execute([theirs for theirs, _ in ROW.findall(section)], world)


def test_every_row_of_every_table_is_read():
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) == sum(len(ROW.findall(section)) for section in SECTIONS)
