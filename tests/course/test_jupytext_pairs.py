import re
from types import SimpleNamespace

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from nbhelpers import __version__
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


def code_of(md):
    return [cell for cell in stored(md).cells if cell.cell_type == "code"]


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


def with_address(monkeypatch, address):
    monkeypatch.setattr(jupytext_pairs, "course_address", lambda: address)


def test_without_an_address_nothing_speaks_of_colab(md, monkeypatch):
    with_address(monkeypatch, "")
    assert "olab" not in "".join(cell.source for cell in jupytext_pairs.from_md(md).cells)


def test_known_address_adds_a_link_and_a_cell_that_installs_this_version(md, monkeypatch):
    with_address(monkeypatch, "some/where")
    cells = jupytext_pairs.from_md(md).cells
    title, _, link, *_ = cells[0].source.split("\n")
    assert title.startswith("# ")
    assert link == (
        "[Open in Colab](https://colab.research.google.com/github/some/where/blob/main/"
        "notebooks/01_count.ipynb)"
    )
    first = next(cell for cell in cells if cell.cell_type == "code")
    assert first.metadata["tags"] == ["colab"]
    assert f"git+https://github.com/some/where@v{__version__}" in first.source


def test_link_of_a_lab_leads_into_its_folder(tmp_path, monkeypatch):
    with_address(monkeypatch, "some/where")
    (tmp_path / "labs").mkdir()
    path = tmp_path / "labs" / "01_weight.md"
    path.write_text(SOURCE)
    assert "main/notebooks/labs/01_weight.ipynb)" in jupytext_pairs.from_md(path).cells[0].source


def test_outputs_stay_when_the_address_becomes_known_and_when_it_goes(md, monkeypatch):
    with_address(monkeypatch, "")
    build(md)
    before = [cell.outputs for cell in code_of(md)]
    assert any(before)
    with_address(monkeypatch, "some/where")
    assert jupytext_pairs.sync(md)
    assert [cell.outputs for cell in code_of(md)] == [[], *before]
    assert [cell.execution_count for cell in code_of(md)] == [1, 2, 3]
    with_address(monkeypatch, "")
    assert jupytext_pairs.sync(md)
    assert [cell.outputs for cell in code_of(md)] == before
    assert [cell.execution_count for cell in code_of(md)] == [1, 2]


@pytest.mark.parametrize("on_colab", [True, False])
def test_colab_cell_installs_what_is_missing_and_only_there(on_colab, md, monkeypatch):
    with_address(monkeypatch, "some/where")
    cell = next(c for c in jupytext_pairs.from_md(md).cells if c.cell_type == "code")
    calls = []
    shell = SimpleNamespace(run_line_magic=lambda magic, line: calls.append((magic, line)))
    if on_colab:
        monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    else:
        monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    exec(TransformerManager().transform_cell(cell.source), {"get_ipython": lambda: shell})
    assert len(calls) == on_colab
    for magic, line in calls:
        assert magic == "pip"
        assert "--no-deps" in line
        assert not re.search(r"\b(torch|numpy|pandas)\b", line)


def test_labs_come_after_lessons_and_names_find_both(tmp_path):
    (tmp_path / "labs").mkdir()
    for name in ("01_dot.md", "00_start.md", "labs/01_decay.md", "labs/README.md"):
        (tmp_path / name).write_text(SOURCE)
    order = ["00_start", "01_dot", "01_decay"]
    assert [path.stem for path in jupytext_pairs.sources(tmp_path)] == order
    assert [path.stem for path in jupytext_pairs.lessons(tmp_path)] == order[:2]
    named = jupytext_pairs.notebook_named
    assert named("01", tmp_path).stem == "01_dot"
    assert named("01_decay", tmp_path).parent.name == "labs"
    with pytest.raises(ValueError, match=r"'02' names 0 notebooks: name one of 00_start, 01_dot"):
        named("02", tmp_path)


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
