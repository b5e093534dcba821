import subprocess
import sys

import pytest

import nbhelpers
from nbhelpers.__main__ import main


def test_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nbhelpers {nbhelpers.__version__}\n"


@pytest.mark.parametrize("command", ["run", "sync"])
def test_missing_package_is_named_with_its_cure(command, tmp_path):
    script = f"""
import sys
sys.modules["jupytext"] = None  # as if it were not installed
from nbhelpers.__main__ import main
sys.exit(main([{command!r}, {str(tmp_path)!r}]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "this command needs jupytext, which is not installed" in done.stderr
    assert "pip install 'nbhelpers[course]'" in done.stderr
