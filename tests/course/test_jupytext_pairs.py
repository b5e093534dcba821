import nbformat
import pytest

from nbhelpers.course import jupytext_pairs

SOURCE = """# Count to two

```python
one = 1
one
```

Some prose.

```python tags=["nbval-check-output"]
one + 1
```
"""


@pytest.fixture
def md(tmp_path):
    path = tmp_path / "01_count.md"
    path.write_text(SOURCE)
    return path


def build(md):
    """The pair as a run would store it, with made-up outputs."""
    notebook = jupytext_pairs.from_md(md)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        cell.outputs = [nbformat.v4.new_output("stream", text=f"output {count}")]
    jupytext_pairs.write(notebook, md.with_suffix(".ipynb"))


def stored(md):
    return nbformat.read(md.with_suffix(".ipynb"), as_version=4)


def test_same_source_same_notebook(md):
    assert jupytext_pairs.from_md(md) == jupytext_pairs.from_md(md)


def test_equal_cells_get_different_ids(md):
    md.write_text("```python\nx = 1\n```\n\n```python\nx = 1\n```\n")
    one, two = jupytext_pairs.from_md(md).cells
    assert one.id != two.id


def test_tags_are_carried_over(md):
    assert jupytext_pairs.from_md(md).cells[-1].metadata == {"tags": ["nbval-check-output"]}


def test_fresh_pair_agrees(md):
    build(md)
    assert jupytext_pairs.differences(md) == []
    assert not jupytext_pairs.sync(md)


def test_missing_notebook_is_a_difference(md):
    assert jupytext_pairs.differences(md) == ["01_count.ipynb is missing"]


def test_changed_cell_is_named(md):
    build(md)
    md.write_text(SOURCE.replace("one + 1", "one + 2"))
    assert (
        "01_count.ipynb, cell 4: source is not that of 01_count.md"
        in jupytext_pairs.differences(md)
    )


def test_added_cell_is_counted(md):
    build(md)
    md.write_text(SOURCE + "\nMore prose.\n\n```python\n3\n```\n")
    assert "01_count.md has 6 cells, 01_count.ipynb 4" in jupytext_pairs.differences(md)


def test_changed_prose_keeps_every_output(md):
    build(md)
    md.write_text(SOURCE.replace("Some prose", "Better prose"))
    assert jupytext_pairs.sync(md)
    outputs = [cell.outputs[0].text for cell in stored(md).cells if cell.cell_type == "code"]
    assert outputs == ["output 1", "output 2"]
    assert jupytext_pairs.differences(md) == []


def test_changed_code_drops_its_output_and_what_follows(md):
    build(md)
    md.write_text(SOURCE.replace("one = 1", "one = 10"))
    jupytext_pairs.sync(md)
    code = [cell for cell in stored(md).cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * 2


def test_edit_made_in_the_notebook_is_not_lost(md):
    build(md)
    notebook = stored(md)
    notebook.cells[1].source = "one = 111"
    nbformat.write(notebook, md.with_suffix(".ipynb"))
    with pytest.raises(ValueError, match=r"01_count.ipynb was edited \(cells 2\) and 01_count.md"):
        jupytext_pairs.sync(md)
    assert stored(md).cells[1].source == "one = 111"


def test_edit_saved_to_both_is_accepted(md):
    build(md)
    notebook = stored(md)
    notebook.cells[1].source = "one = 111\none"
    nbformat.write(notebook, md.with_suffix(".ipynb"))
    md.write_text(SOURCE.replace("one = 1\n", "one = 111\n"))
    assert jupytext_pairs.sync(md)
    assert jupytext_pairs.differences(md) == []


ADDRESSED = """# Title
[Open in Colab](https://example.org/COURSE_ADDRESS)

```python
u = 'COURSE_ADDRESS'
```
"""


def test_line_with_an_unknown_address_is_left_out(md, monkeypatch):
    monkeypatch.setattr(jupytext_pairs, "course_address", lambda: "")
    md.write_text(ADDRESSED)
    assert jupytext_pairs.from_md(md).cells[0].source == "# Title"


def test_known_address_reaches_prose_and_code(md, monkeypatch):
    monkeypatch.setattr(jupytext_pairs, "course_address", lambda: "some/where")
    md.write_text(ADDRESSED)
    prose, code = jupytext_pairs.from_md(md).cells
    assert prose.source.endswith("(https://example.org/some/where)")
    assert code.source == "u = 'some/where'"


def test_format_mends_code_and_leaves_prose(md):
    md.write_text(SOURCE.replace("one + 1", "one+1"))
    jupytext_pairs.format_md(md)
    assert "one + 1" in md.read_text()
    assert "Some prose." in md.read_text()


def test_format_leaves_magics_alone(md):
    md.write_text(SOURCE.replace("one + 1", "if one:\n    %pip list"))
    jupytext_pairs.format_md(md)
    assert "if one:\n    %pip list\n" in md.read_text()


def test_folder_without_notebooks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no notebook source"):
        jupytext_pairs.sources(tmp_path)
