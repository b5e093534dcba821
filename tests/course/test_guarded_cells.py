import nbformat
import pytest

from nbhelpers.course.guarded_cells import guarded_cells, summary


def code(source, *tags, shows=True):
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})
    if shows:
        cell.outputs = [nbformat.v4.new_output("stream", text="something")]
    return cell


@pytest.fixture
def folder(tmp_path):
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Title"),
            code("2 + 2", "nbval-check-output"),
            code("1 / 0", "raises-exception"),
            nbformat.v4.new_markdown_cell("## One?"),
            code("runs = train()\nruns", shows=False),
            code("runs.round(3)"),
            code("print(timing)"),
            code("gain = a - b\n%matplotlib inline\ngain"),
            code("claim('x', gain > 0 and runs.mean() > 1)", "claims"),
            nbformat.v4.new_markdown_cell("## Two?"),
            code("share = (\n    5\n    % 2\n)\nruns"),
            code("check_answer(my_sum, CASES)", "check"),
        ]
    )
    (tmp_path / "00_start.md").write_text("")
    nbformat.write(notebook, tmp_path / "00_start.ipynb")
    return tmp_path


def test_counts_by_hand(folder):
    # Compared: the sum and the error. Claimed: runs, gain, the check. Neither: the timing, and
    # runs once more in a section without a claim.
    assert guarded_cells(folder).loc["00_start"].to_dict() == {
        "compared": 2,
        "claimed": 3,
        "neither": 2,
    }


def test_summary_is_one_line(folder):
    line = "7 cells show something: 29% compared, 43% claimed, 29% neither"
    assert summary(folder) == line
