import re

import nbformat
import pytest

from nbhelpers.course.pages import page_of, write_pages


def folded(tag, title):
    metadata = {"tags": [tag], "jupyter": {"source_hidden": True}}
    return nbformat.v4.new_code_cell(f"# @title {title}\nsecret = 1", metadata=metadata)


@pytest.fixture
def course(tmp_path):
    """A README, a document, and a notebook with a check and a solution."""
    folder = tmp_path / "notebooks"
    (folder / "labs").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# Course\n\n[one](notebooks/00_start.ipynb#A-title)")
    (tmp_path / "docs" / "glossary.md").write_text("# Words")
    (tmp_path / "docs" / "matrix.png").write_bytes(b"a picture")
    picture = nbformat.v4.new_output(
        "display_data", data={"text/html": '<img alt="A line that falls." src="data:,">'}
    )
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(
                "# A <title>\n\nSee [the lab](labs/00_more.ipynb) and [a paper](https://x.org/a.md)."
            ),
            nbformat.v4.new_code_cell("shown = 1", outputs=[picture]),
            folded("claims", "Checks of this section"),
            folded("solution", "Solution 1"),
        ]
    )
    for name in ("00_start", "labs/00_more"):
        (folder / f"{name}.md").write_text("")
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return tmp_path


@pytest.fixture
def page(course):
    return page_of(course / "notebooks" / "00_start.ipynb")


def test_checks_and_solutions_are_folded_and_other_cells_are_not(page):
    folds = re.findall(
        r"<details class=.folded.><summary>(.*?)</summary>(.*?)</details>", page, re.S
    )
    assert [title for title, _ in folds] == ["Checks of this section", "Solution 1"]
    assert all("secret" in content for _, content in folds)
    assert not any("shown" in content for _, content in folds)


def test_alt_text_reaches_the_page(page):
    assert '<img alt="A line that falls."' in page


def test_page_fetches_nothing(page):
    assert "<script" not in page
    assert not re.search(r'<link|src="http|@import|url\(', page)


def test_title_is_that_of_the_notebook(page):
    assert "<title>A &lt;title&gt;</title>" in page


def test_links_lead_from_page_to_page(course, tmp_path):
    out = tmp_path / "site"
    written = write_pages(course / "notebooks", course / "README.md", out)
    names = ["docs/glossary", "index", "notebooks/00_start", "notebooks/labs/00_more"]
    assert sorted(p.relative_to(out).as_posix() for p in written) == [f"{n}.html" for n in names]
    lesson = (out / "notebooks" / "00_start.html").read_text()
    assert 'href="labs/00_more.html"' in lesson
    assert 'href="https://x.org/a.md"' in lesson
    assert 'href="../index.html"' in lesson
    assert 'href="../../index.html"' in (out / "notebooks/labs/00_more.html").read_text()
    assert 'href="notebooks/00_start.html#A-title"' in (out / "index.html").read_text()
    assert (out / "docs" / "matrix.png").read_bytes() == b"a picture"


def test_formulas_need_no_script_and_code_keeps_its_dollars(course):
    source = "Half: $\\frac{1}{2}$ and `$HOME` and\n\n$$\\sum_j w_j^2$$"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source)])
    nbformat.write(notebook, course / "notebooks" / "00_start.ipynb")
    page = page_of(course / "notebooks" / "00_start.ipynb")
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>" in page
    assert 'display="block"' in page
    assert "<code>$HOME</code>" in page
    assert "$$" not in page
