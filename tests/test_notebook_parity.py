"""What a notebook shows and what later notebooks import are the same thing."""

import ast
from pathlib import Path

import jupytext
import pytest
import torch

from nbhelpers.models import explicit

FOLDER = Path(__file__).parents[1] / "notebooks"
PAIRS = torch.tensor([0, 5, 5, 2]), torch.tensor([8, 0, 3, 3])


def shown(notebook):
    """Names that the lesson part of a notebook imports, defines as functions or as classes."""
    definitions, imports = [], []
    for cell in jupytext.read(FOLDER / f"{notebook}.md").cells:
        lesson = cell.cell_type == "code" and cell.metadata.get("tags", []) != ["colab"]
        if lesson and not {"exercise", "check", "solution"} & set(cell.metadata.get("tags", [])):
            tree = ast.parse(cell.source)
            imports += [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
            definitions += [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    namespace = {}
    for node in [*imports, *definitions]:
        exec(compile(ast.Module([node], []), notebook, "exec"), namespace)
    return namespace


def test_dot_product_of_01_is_that_of_the_package():
    theirs = shown("01_dot_product_from_scratch")["DotProduct"](6, 9, 4)
    ours = explicit.DotProduct(6, 9, 4)
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(*PAIRS), theirs(*PAIRS))


@pytest.mark.parametrize("y_range", [None, (0, 5.5)])
@pytest.mark.parametrize("name", ["DotProduct", "DotProductBias"])
def test_models_of_01b_are_those_of_the_package(name, y_range):
    theirs = shown("01b_range_and_biases")[name](6, 9, 4, y_range=y_range)
    ours = getattr(explicit, name)(6, 9, 4, y_range=y_range)
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(*PAIRS), theirs(*PAIRS))


def test_sigmoid_range_of_01b_is_that_of_the_package():
    theirs = shown("01b_range_and_biases")["sigmoid_range"]
    score = torch.linspace(-4, 4, 9)
    torch.testing.assert_close(explicit.sigmoid_range(score, 0, 5.5), theirs(score, 0, 5.5))


def test_embedding_of_02_is_that_of_the_package():
    theirs, ours = (
        shown("02_embeddings_from_parameters")["Embedding"](6, 4),
        explicit.Embedding(6, 4),
    )
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours(PAIRS[0]), theirs(PAIRS[0]))
