import nbformat
import pytest

from nbhelpers.__main__ import main
from nbhelpers.course import documents
from nbhelpers.course.documents import refresh

RESULTS = (
    "notebook,model,dataset,split,metric,value,low,high,n_seeds,train_seconds,eval_seconds,"
    "n_parameters,device\n"
    "00,bias baseline,ml-100k,random 80/20,MSE,0.885,0.878,0.893,5,0.0,0.1,2603,cpu\n"
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    notebooks = tmp_path / "notebooks"
    (notebooks / "labs").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    header = "---\nx: 1\n---\n\n# Count to {}\n\n**Time** {} minutes to read, about 5 seconds.\n"
    (notebooks / "00_count.md").write_text(header.format("two", 20))
    (notebooks / "01_more.md").write_text(header.format("ten", 90))
    (notebooks / "labs" / "00_less.md").write_text(header.format("one", 5))
    (notebooks / "run_report.csv").write_text("notebook,seconds,peak_mb\n00_count,12,345\n")
    (notebooks / "honest_table.csv").write_text(RESULTS)
    monkeypatch.setattr(documents, "PATHS", {"Short": ["00"], "Long": ["00", "01"]})
    top = [("00", "bias baseline", "random 80/20", "MSE")]
    monkeypatch.setattr(documents, "TOP_ROWS", top)
    return tmp_path


def written(project, section, document="README.md"):
    path = project / document
    path.write_text(f"Intro\n<!-- begin: {section} -->\nold\n<!-- end: {section} -->\nEnd\n")
    assert refresh(path, project / "notebooks")
    text = path.read_text()
    assert text.startswith("Intro\n")
    assert text.endswith("End\n")
    assert "old" not in text
    assert not refresh(path, project / "notebooks")
    return text


def test_lessons_come_with_title_and_minutes(project):
    text = written(project, "lessons")
    assert "| 00 | [Count to two](notebooks/00_count.ipynb) | 20 min |\n| 01 |" in text
    assert "Count to one" not in text


def test_labs_come_after_their_lessons(project):
    row = "| 00 | [Count to one](notebooks/labs/00_less.ipynb) | 5 min |"
    assert row in written(project, "labs")


def test_minutes_of_a_path_are_the_sum_of_its_lessons(project):
    text = written(project, "paths")
    assert "| Short | [00](notebooks/00_count.ipynb) | 20 min |" in text
    assert "[01](notebooks/01_more.ipynb) | 1.8 h |" in text


def test_run_times_say_what_was_not_run(project):
    text = written(project, "run times")
    assert "| [00_count](notebooks/00_count.ipynb) | 12 s | 345 MB |" in text
    assert "| [01_more](notebooks/01_more.ipynb) | not run yet |  |" in text


def test_picture_is_the_first_of_the_first_lesson(project):
    image = (
        '<img alt="A &quot;matrix&quot; of stars." width="5" src="data:image/png;base64,aGVsbG8=">'
    )
    output = nbformat.v4.new_output("display_data", data={"text/html": image})
    cells = [nbformat.v4.new_code_cell("1"), nbformat.v4.new_code_cell("show()", outputs=[output])]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(notebook, project / "notebooks" / "00_count.ipynb")
    assert '![A "matrix" of stars.](docs/rating_matrix.png)' in written(project, "picture")
    assert (project / "docs" / "rating_matrix.png").read_bytes() == b"hello"


def test_results_come_from_the_honest_table(project):
    row = "| bias baseline | random 80/20 | MSE | 0.885 | 0.878 to 0.893 | [00]("
    assert row in written(project, "top results")
    assert "| 00 | bias baseline | ml-100k, random 80/20 |" in written(project, "honest table")


def test_links_of_a_document_lead_up_first(project):
    assert "(../notebooks/00_count.ipynb)" in written(project, "lessons", "docs/page.md")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- begin: lessons -->", "needs the marks <!-- begin: lessons -->"),
        ("<!-- begin: nothing -->", "no section is called 'nothing'; there are"),
    ],
)
def test_what_is_wrong_with_a_mark_is_said(project, text, message, capsys):
    (project / "README.md").write_text(text)
    assert main(["results", "--write", str(project / "README.md")]) == 1
    assert message in capsys.readouterr().err


def test_header_without_minutes_is_named(project):
    path = project / "notebooks" / "00_count.md"
    path.write_text("# Title")
    with pytest.raises(ValueError, match=r"00_count.md says no \*\*Time\*\*"):
        documents.reading_minutes(path)
