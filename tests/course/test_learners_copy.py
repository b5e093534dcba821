import nbformat
import pytest

from nbhelpers.course.jupytext_pairs import from_md, write
from nbhelpers.course.learners_copy import prepare_copy, reset_copy

SOURCE = "# Title\n\n```python\nmy_answer = ...\n```\n"


@pytest.fixture
def folder(tmp_path):
    """A course of one lesson and one lab."""
    folder = tmp_path / "notebooks"
    (folder / "labs").mkdir(parents=True)
    (folder / "honest_table.csv").write_text("notebook\n")
    for name in ("00_start", "labs/00_more"):
        publish(folder / f"{name}.md", SOURCE)
    return folder


def publish(path, source):
    path.write_text(source)
    write(from_md(path), path.with_suffix(".ipynb"))


@pytest.fixture
def work(folder, tmp_path):
    prepare_copy(folder, tmp_path / "work")
    return tmp_path / "work"


def answer(path, text="my_answer = 42"):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].source = text
    nbformat.write(notebook, path)


def last_cell(path):
    return nbformat.read(path, as_version=4).cells[-1].source


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_copy_holds_notebooks_and_the_table_and_no_source(work):
    wanted = [".copied.json", "00_start.ipynb", "honest_table.csv", "labs/00_more.ipynb"]
    assert files(work) == wanted


def test_copy_asks_for_no_pair(work):
    assert "jupytext" not in nbformat.read(work / "00_start.ipynb", as_version=4).metadata


def test_answer_stays_and_the_course_is_untouched(folder, work):
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    answer(work / "00_start.ipynb")
    assert prepare_copy(folder, work) == []
    assert last_cell(work / "00_start.ipynb") == "my_answer = 42"
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


def test_new_version_reaches_what_was_not_touched(folder, work):
    publish(folder / "00_start.md", SOURCE.replace("...", "None"))
    assert prepare_copy(folder, work) == []
    assert last_cell(work / "00_start.ipynb") == "my_answer = None"


def test_new_version_of_what_was_touched_is_named_and_kept_back(folder, work):
    answer(work / "00_start.ipynb")
    publish(folder / "00_start.md", SOURCE.replace("...", "None"))
    assert prepare_copy(folder, work) == ["00_start"]
    assert last_cell(work / "00_start.ipynb") == "my_answer = 42"


def test_reset_gives_a_fresh_notebook_and_keeps_every_old_one(folder, work):
    for number, text in enumerate(["my_answer = 1", "my_answer = 2"], start=1):
        answer(work / "00_start.ipynb", text)
        kept = reset_copy("00", folder, work)
        assert kept == work / f"00_start.mine-{number}.ipynb"
        assert last_cell(kept) == text
        assert last_cell(work / "00_start.ipynb") == "my_answer = ..."
    answer(work / "labs" / "00_more.ipynb")
    assert reset_copy("00_more", folder, work) == work / "labs" / "00_more.mine-1.ipynb"


def test_reset_of_an_untouched_notebook_keeps_nothing(folder, work):
    assert reset_copy("00", folder, work) is None


def test_reset_of_something_else_says_what_there_is(folder, work):
    with pytest.raises(ValueError, match="'07' names 0 notebooks: name one of 00_start, 00_more"):
        reset_copy("07", folder, work)
