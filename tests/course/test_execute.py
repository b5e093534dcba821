import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

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


def alive(pid):
    """Whether a process runs; one that is dead and not yet buried does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="asks Linux which processes run")
@pytest.mark.parametrize(
    "how", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_run_that_is_told_to_stop_takes_its_kernel_along(md, how):
    note = md.with_name("pids")
    md.write_text(
        "```python\nimport os, pathlib, time\n\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{os.getpid()}} {{os.getppid()}}\\n')\n"
        "time.sleep(600)\n```\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-m", "nbhelpers", "run", str(md.parent)], stdout=subprocess.DEVNULL
    )
    while not (note.exists() and note.read_text().endswith("\n")):
        assert run.poll() is None, "ended before its cell began"
        time.sleep(0.1)
    kernel, run_one = map(int, note.read_text().split())
    run.send_signal(how)
    assert run.wait() != 0
    while alive(kernel) or alive(run_one):  # the time limit of the test ends this
        time.sleep(0.1)


def test_kernel_that_does_not_start_is_named_with_its_notebook(md, monkeypatch):
    spec = md.parent / "kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    dies = [sys.executable, "-c", "raise SystemExit(1)"]
    spec.write_text(json.dumps({"argv": dies, "display_name": "dies", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(md.parent))
    with pytest.raises(
        execute.NotebookFailedError, match=r"01_good.md, before its first cell: Kernel died"
    ):
        execute.run_notebook(md)


def test_folder_that_takes_no_files_is_named_before_anything_runs(md, monkeypatch, capsys):
    def refuse(dir):
        raise OSError(30, "Read-only file system", str(dir))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(execute, "run_in_process", lambda path: pytest.fail("began to work"))
    assert main(["run", str(md.parent)]) == 1
    told = capsys.readouterr().err
    assert "Read-only file system" in told
    assert "copy the course into a folder of your own" in told


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("one\ntwo\n", "one\ntwo\n"),
        ("1%\r50%\r100%\n", "100%\n"),
        ("1%\r100%\nnext\r\n", "100%\nnext\n"),
        ("1%\r50%\r", "50%"),
        ("\r1%\r100%", "100%"),
    ],
)
def test_of_a_line_only_its_last_state_is_shown(text, shown):
    assert execute.as_shown(text) == shown


def test_long_lines_are_read_once():
    # 40 million characters: reading them from every place again would take days
    assert execute.as_shown("50%\r" * 10_000_000 + "100%\n") == "100%\n"
    assert execute.as_shown("x" * 40_000_000).endswith("x" + execute.CUT)


def test_output_of_fifty_megabytes_is_cut_and_says_so(md):
    md.write_text(
        "```python\nfor _ in range(50):\n    print('x' * 1_000_000)\n```\n\nThen.\n\n"
        "```python\nprint('y' * 50_000_000)\n```\n"
    )
    execute.run_notebook(md)
    assert md.with_suffix(".ipynb").stat().st_size < 3 * execute.STORED_CHARACTERS
    cells = nbformat.read(md.with_suffix(".ipynb"), as_version=4).cells
    texts = [c.outputs[0].text for c in cells if c.cell_type == "code"]
    assert [text[0] for text in texts] == ["x", "y"]
    assert all(text.endswith(execute.CUT) for text in texts)


def test_text_of_many_prints_is_one_output(md):
    md.write_text(
        "```python\nimport sys, time\n\nfor n in range(3):\n"
        "    print(f'\\r{n}', end='', flush=True)\n    time.sleep(0.3)\n"
        "print()\nprint('end')\n```\n"
    )
    execute.run_notebook(md)
    cells = nbformat.read(md.with_suffix(".ipynb"), as_version=4).cells
    assert [output.text for output in cells[0].outputs] == ["2\nend\n"]


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


def test_table_of_epochs_is_stored_without_bar_and_time(md):
    row = "<tr><th>epoch</th><th>valid_loss</th><th>time</th></tr>"
    row += "<tr><td>0</td><td>0.91</td><td>00:01</td></tr>"
    table = f'<div><table class="fastprogress">{row}</table></div>'
    style = "<style>\n    progress { border: none; }\n</style>\n"
    shown = [style, "<div></div>", "", table, table.replace("time", "rmse"), "<p>seen</p>"]
    md.write_text(
        "```python\nfrom IPython.display import display\n\n"
        f"for text in {shown}:\n"
        '    texts = {"text/html": text, "text/plain": text, "text/markdown": text}\n'
        "    display(texts, raw=True)\n```\n"
    )
    execute.run_notebook(md)
    outputs = nbformat.read(md.with_suffix(".ipynb"), as_version=4).cells[0].outputs
    stored = [output.data["text/html"] for output in outputs]
    without = table.replace("<th>time</th>", "").replace("<td>00:01</td>", "")
    assert stored == [without, table.replace("time", "rmse"), "<p>seen</p>"]
    assert set(outputs[0].data) == {"text/html", "text/plain"}
    assert outputs[0].data["text/plain"] == without
