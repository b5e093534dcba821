import pytest

from nbhelpers.__main__ import main
from nbhelpers.course import readme

MARKS = (
    "Intro\n<!-- begin: notebooks -->\nold\n<!-- end: notebooks -->\n"
    "Text\n<!-- begin: honest table -->\n<!-- end: honest table -->\nEnd\n"
)


@pytest.fixture
def project(tmp_path):
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (notebooks / "01_count.md").write_text("---\nx: 1\n---\n\n# Count to two\n")
    (notebooks / "run_report.csv").write_text("notebook,seconds,peak_mb\n01_count,12,345\n")
    (tmp_path / "README.md").write_text(MARKS)
    return tmp_path


def test_sections_are_made_from_the_files(project):
    assert readme.refresh(project / "README.md")
    text = (project / "README.md").read_text()
    row = "| [01_count](notebooks/01_count.ipynb) | Count to two | 12 s | 345 MB |"
    assert row in text
    assert "old" not in text
    assert text.startswith("Intro\n")
    assert text.endswith("End\n")


def test_second_refresh_changes_nothing(project):
    readme.refresh(project / "README.md")
    assert not readme.refresh(project / "README.md")


def test_missing_mark_is_named(project, capsys):
    (project / "README.md").write_text("no marks")
    assert main(["results", "--write", str(project / "README.md")]) == 1
    assert "needs the marks <!-- begin: notebooks -->" in capsys.readouterr().err
