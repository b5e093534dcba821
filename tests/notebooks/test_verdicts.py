"""Which notebooks are red: real runs of nbval on tiny ones."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
MEANT = {"tags": ["raises-exception"]}
COMPARED = {"tags": ["nbval-check-output"]}
NOTEBOOKS = {
    "good": ["1 + 1", "import sys; print('a warning', file=sys.stderr)"],
    "wrong_magic": ["%notmagic; raise TypeError"],
    "error_in_a_thread": [
        "import threading\n\nthread = threading.Thread(target=lambda: 1 / 0)\nthread.start()\n"
        "thread.join()"
    ],
    "leaves": ["import sys; sys.exit()", "1"],
    "too_long": ["1", "import time; time.sleep(60)", "2", "3"],
    "deaf": [
        "import time\n\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass",
        "2",
    ],
    "dies": ["import os; os._exit(1)", "2"],
    "compared": [("print(0.807)", COMPARED, "0.807\n")],
    "changed_digit": [("print(0.807)", COMPARED, "0.817\n")],
    "meant": [("1 / 0", MEANT)],
    "meant_and_fine": [("1 / 1", MEANT)],
    "meant_and_too_long": [("import time; time.sleep(60)", MEANT)],
}


def write(path, cells):
    made = []
    for cell in cells:
        source, metadata, *stored = cell if isinstance(cell, tuple) else (cell, {})
        outputs = [nbformat.v4.new_output("stream", text=text) for text in stored]
        made.append(
            nbformat.v4.new_code_cell(
                source, metadata=metadata, outputs=outputs, execution_count=len(made) + 1
            )
        )
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Outcome of each cell: "passed", or the message of its failure."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name, cells in NOTEBOOKS.items():
        write(folder / f"{name}.ipynb", cells)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "tests.notebooks.verdicts", "--nbval-lax", "--nbval-current-env"]
    command += ["--nbval-cell-timeout=3", "--junitxml", str(folder / "report.xml")]
    command += ["--rootdir", str(folder), "--color=no", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1, done.stdout + done.stderr
    found = {name: [] for name in NOTEBOOKS}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        bad = [child for child in case if child.tag in ("failure", "error", "skipped")]
        name = case.get("classname").split(".")[-2]
        found[name].append(bad[0].text or bad[0].get("message") if bad else "passed")
    return found


@pytest.mark.parametrize("name", ["good", "meant", "compared"])
def test_notebook_that_runs_as_meant_is_green(verdicts, name):
    assert set(verdicts[name]) == {"passed"}


def test_changed_digit_in_a_compared_output_is_red(verdicts):
    assert "Cell outputs differ" in verdicts["changed_digit"][0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong_magic", "Ended in UsageError"),
        ("error_in_a_thread", "An error was printed, not raised"),
        ("leaves", "SystemExit"),
        ("meant_and_fine", "nothing was raised"),
    ],
)
def test_cell_that_ended_badly_without_an_error_message_is_red(verdicts, name, message):
    assert message in verdicts[name][0]


@pytest.mark.parametrize(
    ("name", "cell", "message"),
    [
        ("too_long", 1, "Timeout of 3 seconds exceeded"),
        ("deaf", 0, "cell 0 took too long"),
        ("dies", 0, "the kernel died in cell 0"),
        ("meant_and_too_long", 0, "cell 0 took too long"),
    ],
)
def test_after_a_cell_that_broke_the_notebook_nothing_is_green(verdicts, name, cell, message):
    assert message in verdicts[name][cell]
    assert all("Not run: " in verdict for verdict in verdicts[name][cell + 1 :])
    assert verdicts[name][:cell] == ["passed"] * cell
