"""Hints of the reader name options of the command line that exist."""

import ast
import inspect
import re
from pathlib import Path

import nbhelpers.data.ratings_file as ratings_file
from nbhelpers.commands.reading_options import COLUMNS, FORMATS, POLICIES, read_file

FOLDER = Path(inspect.getfile(ratings_file)).parent
OPTIONS = {f"--{name.replace('_', '-')}" for name in (*COLUMNS, *POLICIES, *FORMATS)}


def texts():
    """All strings of the reader but docstrings, f-strings with {} for what is filled in."""
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text())
        inner = {
            part
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr)
            for part in node.values
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr):
                inner.add(node.value)
            if node in inner:
                continue
            if isinstance(node, ast.JoinedStr):
                parts = [getattr(part, "value", "{}") for part in node.values]
                yield path.name, "".join(p if isinstance(p, str) else "{}" for p in parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path.name, node.value


def test_every_option_in_a_message_exists():
    named = {
        (name, option) for name, text in texts() for option in re.findall(r"--[a-z][a-z-]*", text)
    }
    assert len(named) > 15
    assert not {(name, option) for name, option in named if option not in OPTIONS}


def test_what_is_said_in_python_is_said_for_the_command_line_too():
    argument = re.compile(rf"\b(?:{'|'.join((*COLUMNS, *POLICIES, *FORMATS))})=")
    alone = {(name, text) for name, text in texts() if argument.search(text) and "--" not in text}
    assert {each for each in alone if each[0] != "stream.py"} == set()  # no command streams


def test_no_missing_value_can_be_said(tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id,rating\n1,1,-1\n2,1,4\n")
    log = read_file(str(tmp_path / "log.csv"), missing_values="none")
    assert log.frame["rating"].tolist() == [-1, 4]
