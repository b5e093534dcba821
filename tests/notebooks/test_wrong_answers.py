"""Each exercise refuses answers that are wrong, and its solution passes."""

import ast
import importlib
import re
from contextlib import suppress
from functools import cache

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from nbhelpers.teaching.exercises import WrongAnswerError
from tests.notebooks.pages import NOTEBOOKS, code_cells, each, from_source, tags


class Exercise:
    """One check of a notebook, with the stub that stands above it and the solution below."""

    def __init__(self, stub, check):
        self.stub, self.check, self.solution = stub, check, None
        tree = ast.parse(stub.source).body
        defined = [n.name for n in tree if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        assigned = [n.targets[0].id for n in tree if isinstance(n, ast.Assign)]
        (self.name,) = [name for name in defined + assigned if name in check.source]


def exercises(path):
    """Exercises of a notebook that check an answer."""
    found, stub = [], None
    for cell in code_cells(from_source(path)):
        if "exercise" in tags(cell):
            stub = cell
        elif "check" in tags(cell):
            found.append(Exercise(stub, cell))
        elif "solution" in tags(cell) and found and found[-1].solution is None:
            found[-1].solution = cell
    return found


def answers(path):
    return importlib.import_module(f"tests.notebooks.wrong_answers.wrong_{path.stem}")


@cache
def _compiled(path):
    """Imports of a notebook, and the functions and classes of the part above its exercises."""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    nodes = []
    for cell in code_cells(from_source(path)):
        if not {"colab", "solution"} & tags(cell):
            wanted = kinds[:2] if {"exercise", "check"} & tags(cell) else kinds
            tree = ast.parse(TransformerManager().transform_cell(cell.source))
            nodes += [node for node in tree.body if isinstance(node, wanted)]
    nodes.sort(key=lambda node: not isinstance(node, ast.Import | ast.ImportFrom))
    return [compile(ast.Module([node], []), path.stem, "exec") for node in nodes]


def namespace(path):
    names = dict(getattr(answers(path), "context", dict)())
    for code in _compiled(path):
        with suppress(NameError):  # a default that is data of the notebook
            exec(code, names)
    return names


def run(cell, names):
    exec(compile(cell.source, "check", "exec"), names)


@each(NOTEBOOKS)
def test_every_check_has_two_wrong_answers_or_more(path):
    counts = {one.name: len(answers(path).WRONG.get(one.name, [])) for one in exercises(path)}
    assert all(count >= 2 for count in counts.values()), counts
    assert answers(path).WRONG.keys() == counts.keys()


def every_wrong_answer():
    for path in NOTEBOOKS:
        for one in exercises(path):
            for number, answer in enumerate(answers(path).WRONG.get(one.name, []), start=1):
                name = f"{path.stem}-{one.name}-{number}"
                yield pytest.param(path, one, answer, id=name)


@pytest.mark.parametrize(("path", "exercise", "answer"), list(every_wrong_answer()))
def test_wrong_answer_is_refused(path, exercise, answer):
    names = namespace(path)
    names[exercise.name] = answer
    with pytest.raises(WrongAnswerError):
        run(exercise.check, names)


@each(NOTEBOOKS)
def test_solution_passes_and_stub_waits(path, capsys):
    for one in exercises(path):
        names = namespace(path)
        run(one.stub, names)
        run(one.check, names)
        assert capsys.readouterr().out.strip().endswith("not attempted yet")
        with suppress(NameError):  # after its check a solution may go on with the notebook's data
            run(one.solution, names)
        assert re.search(r"^(all \d+ cases pass|the case passes)$", capsys.readouterr().out, re.M)
