import json
import re

import nbformat
import pytest

from nbhelpers.__main__ import main
from nbhelpers.course import execute

GOOD = """# Good

```python
import sys
print("seen"); print("noise", file=sys.stderr)
```

```python tags=["unstored-output"]
print("/some/machine")
```

```python
from tqdm import tqdm
print("1%\\r100%")
```

```python
display({"application/vnd.jupyter.widget-view+json": {}, "text/plain": "bar"}, raw=True)
```
"""


@pytest.fixture
def md(tmp_path):
    path = tmp_path / "01_good.md"
    path.write_text(GOOD)
    return path


def test_outputs_are_stored_and_noise_is_not(md):
    took = execute.run_notebook(md)
    cells = nbformat.read(md.with_suffix(".ipynb"), as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert [[output.text for output in cell.outputs] for cell in code] == [
        ["seen\n"],
        [],
        ["100%\n"],
        [],
    ]
    assert took["seconds"] > 0
    assert 20 < took["peak_mb"] < 4000


def test_failure_names_notebook_cell_and_error(md):
    md.write_text(GOOD + "\nOops.\n\n```python\n1 / 0\n```\n")
    with pytest.raises(
        execute.NotebookFailedError,
        match=r"01_good.md, code cell 5 \('1 / 0'\): ZeroDivisionError: division by zero",
    ):
        execute.run_notebook(md)
    assert not md.with_suffix(".ipynb").exists()


def test_dead_kernel_does_not_hang_the_run(md):
    md.write_text("```python\nimport os\n```\n\nNow.\n\n```python\nos._exit(1)\n```\n")
    with pytest.raises(execute.NotebookFailedError, match=r"code cell 2 \('os._exit\(1\)'\)"):
        execute.run_in_process(md)


def test_cell_that_never_ends_is_stopped(md):
    md.write_text("```python\nwhile True: pass\n```\n")
    with pytest.raises(execute.NotebookFailedError, match=r"code cell 1 .*timed out"):
        execute.run_notebook(md, cell_seconds=2)


def test_notebook_that_never_ends_is_stopped(md):
    md.write_text("```python\nimport time; time.sleep(600)\n```\n")
    with pytest.raises(execute.NotebookFailedError, match=r"01_good.md: not finished after 4 s"):
        execute.run_in_process(md, seconds=4)


def test_course_run_fails_as_a_whole_and_still_runs_the_rest(md, capfd):
    bad = md.with_name("00_bad.md")
    bad.write_text("```python\nraise KeyError('gone')\n```\n")
    assert main(["run", str(md.parent)]) == 1
    out = capfd.readouterr().out
    assert "00_bad.md, code cell 1 (\"raise KeyError('gone')\"): KeyError" in out
    assert "1 of 2 notebooks failed" in out
    assert md.with_suffix(".ipynb").exists()
    report = (md.parent / execute.REPORT).read_text().splitlines()
    assert report[0] == "notebook,seconds,peak_mb"
    assert [line.split(",")[0] for line in report[1:]] == ["01_good"]


def test_run_one_prints_what_it_took(md, capfd):
    assert main(["run-one", str(md)]) == 0
    assert set(json.loads(capfd.readouterr().out.splitlines()[-1])) == {"seconds", "peak_mb"}


def test_notebook_that_is_gone_leaves_the_report(md):
    report = md.parent / execute.REPORT
    report.write_text("notebook,seconds,peak_mb\n00_gone,1,100\n")
    assert execute.run_course(md.parent)
    assert [line.split(",")[0] for line in report.read_text().splitlines()[1:]] == ["01_good"]


def test_no_notebook_of_that_name_is_an_error(md, capsys):
    assert main(["run", str(md.parent), "--only", "07"]) == 1
    assert "starts with '07'" in capsys.readouterr().err


def test_a_run_shows_no_progress_bars(md, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    md.write_text("```python\nimport os\n\nassert 'CI' in os.environ\n```\n")
    execute.run_in_process(md)


def test_of_a_traceback_only_what_lies_in_the_notebook_is_stored(md):
    md.write_text('```python tags=["raises-exception"]\nimport json\n\njson.loads("no")\n```\n')
    execute.run_notebook(md)
    output = nbformat.read(md.with_suffix(".ipynb"), as_version=4).cells[0].outputs[0]
    told = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.traceback))
    assert "Cell In[1]" in told
    assert "JSONDecodeError: Expecting value" in told
    assert "decoder.py" not in told
