"""What a notebook shows and what later notebooks import are the same thing."""

import ast
from contextlib import suppress
from pathlib import Path

import jupytext
import pytest
import torch

from nbhelpers.core import folded
from nbhelpers.models import (
    baselines,
    collab_nn,
    dot_product,
    embeddings,
    fm,
    genres,
    hybrid,
    lightfm,
    matrix_factorization,
    ncf,
    ordinal,
    svdpp,
)
from nbhelpers.training import lightning, losses

FOLDER = Path(__file__).parents[2] / "notebooks"
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
        with suppress(NameError):  # a default that is data of the notebook: not compared
            exec(compile(ast.Module([node], []), notebook, "exec"), namespace)
    return namespace


@pytest.mark.parametrize("y_range", [None, (0, 5.5)])
@pytest.mark.parametrize("name", ["DotProduct", "DotProductBias"])
def test_models_of_01_are_those_of_the_package(name, y_range):
    theirs = shown("01_dot_product_from_scratch")[name](6, 9, 4, y_range=y_range)
    ours = getattr(dot_product, name)(6, 9, 4, y_range=y_range)
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(*PAIRS), theirs(*PAIRS))


def test_sigmoid_range_of_01_is_that_of_the_package():
    theirs = shown("01_dot_product_from_scratch")["sigmoid_range"]
    score = torch.linspace(-4, 4, 9)
    torch.testing.assert_close(folded.sigmoid_range(score, 0, 5.5), theirs(score, 0, 5.5))


def test_bias_baseline_of_01_is_that_of_the_package():
    rating = torch.tensor([5.0, 3.0, 4.0, 1.0])
    theirs = shown("01_dot_product_from_scratch")["BiasOnly"](6, 9).fit(*PAIRS, rating)
    ours = baselines.BiasOnly(6, 9).fit(*PAIRS, rating)
    assert type(theirs).__module__ != type(ours).__module__
    every_pair = torch.arange(6).repeat_interleave(9), torch.arange(9).repeat(6)
    torch.testing.assert_close(ours(*every_pair), theirs(*every_pair))


def test_embedding_of_02_is_that_of_the_package():
    theirs, ours = (
        shown("02_embeddings_from_parameters")["Embedding"](6, 4),
        embeddings.Embedding(6, 4),
    )
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours(PAIRS[0]), theirs(PAIRS[0]))


def test_pair_input_of_03_is_that_of_the_package():
    theirs = shown("03_fastai_collab_learner")["PairInput"](dot_product.DotProductBias(6, 9, 4))
    ours = collab_nn.PairInput(dot_product.DotProductBias(6, 9, 4))
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    pairs = torch.stack(PAIRS, dim=1)
    torch.testing.assert_close(ours(pairs), theirs(pairs))


def test_collab_nn_of_04_is_that_of_the_package():
    size = {"n_user_factors": 3, "n_item_factors": 5, "n_hidden": 7}
    theirs = shown("04_collab_nn")["CollabNN"](6, 9, **size)
    ours = collab_nn.CollabNN(6, 9, **size)
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(*PAIRS), theirs(*PAIRS))


def test_embedding_size_of_04_is_that_of_the_package():
    theirs = shown("04_collab_nn")["embedding_size"]
    assert theirs.__module__ != collab_nn.embedding_size.__module__
    for n_rows in (1, 2, 20, 944, 1683, 100_000):
        assert theirs(n_rows) == collab_nn.embedding_size(n_rows)


def test_svdpp_of_its_lab_is_that_of_the_package():
    rated = torch.tensor([0, 5, 5, 1]), torch.tensor([8, 0, 4, 3])
    theirs = shown("labs/04_svdpp")["SVDpp"](6, 9, 4, rated=rated)
    ours = svdpp.SVDpp(6, 9, 4, rated=rated)  # which holds pairs where the lab holds flags
    assert type(theirs).__module__ != type(ours).__module__
    missing, unexpected = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert (missing, unexpected) == (["pair_keys"], ["by_user", "by_item"])
    torch.testing.assert_close(ours(*PAIRS), theirs(*PAIRS))


@pytest.mark.parametrize("pooling", ["sum", "sqrt", "mean"])
def test_genre_bag_of_lab_04_is_that_of_the_package(pooling):
    bags, names = torch.tensor([[1, 2, 3], [2, 0, 0], [0, 0, 0]]), ["Comedy", "Drama", "War"]
    theirs = shown("labs/04_genres")["GenreBag"](bags, names, 4, pooling=pooling)
    ours = genres.GenreBag(torch.zeros_like(bags), names, 4, pooling=pooling)
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    items = torch.tensor([2, 0, 1, 0])
    torch.testing.assert_close(ours(items), theirs(items))


@pytest.mark.parametrize("pooling", ["sum", "sqrt", "mean"])
def test_models_with_genres_of_lab_04_are_those_of_the_package(pooling):
    bags = torch.tensor([[1, 2, 3], [2, 0, 0], *[[0, 0, 0]] * 7])
    side = {"genres": bags, "genre_names": ["Comedy", "Drama", "War"], "pooling": pooling}
    theirs = shown("labs/04_genres")
    widths = {"n_user_factors": 50, "n_item_factors": 50, "n_genre_factors": 8}
    for model, ours in (
        (
            theirs["DotProductGenres"](6, 9, 4, **side),
            genres.DotProductGenres(6, 9, 4, y_range=(0, 5.5), **side),
        ),
        (
            theirs["CollabNNGenres"](6, 9, **side),
            genres.CollabNNGenres(6, 9, **widths, **side),
        ),
    ):
        assert type(model).__module__ != type(ours).__module__
        ours.load_state_dict(model.state_dict())
        torch.testing.assert_close(ours(*PAIRS), model(*PAIRS))


def test_categorical_rating_of_its_lab_is_that_of_the_package():
    theirs = shown("labs/04_ordinal_ratings")["CategoricalRating"](6, 9, 4)
    ours = ordinal.CategoricalRating(6, 9, 4)
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(*PAIRS), theirs(*PAIRS))
    torch.testing.assert_close(ours.log_probabilities(*PAIRS), theirs.log_probabilities(*PAIRS))


def test_ordinal_rating_of_its_lab_is_that_of_the_package():
    theirs = shown("labs/04_ordinal_ratings")["OrdinalRating"](dot_product.DotProductBias(6, 9, 4))
    ours = ordinal.OrdinalRating(dot_product.DotProductBias(6, 9, 4))
    assert type(theirs).__module__ != type(ours).__module__
    torch.testing.assert_close(ours.thresholds(), theirs.thresholds())
    with torch.no_grad():
        theirs.steps.copy_(torch.tensor([0.5, -1.0, 2.0]))
        theirs.scorer.user_bias.weight.copy_(torch.arange(-3.0, 3.0).unsqueeze(1))
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(*PAIRS), theirs(*PAIRS))
    torch.testing.assert_close(ours.log_probabilities(*PAIRS), theirs.log_probabilities(*PAIRS))


@pytest.mark.parametrize("name", ["GMF", "MLP", "NeuMF"])
def test_networks_of_05_are_those_of_the_package(name):
    theirs, ours = shown("05_ncf_retrieval")[name](6, 9, 4), getattr(ncf, name)(6, 9, 4)
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(*PAIRS), theirs(*PAIRS))


def test_pair_module_of_05_is_that_of_the_package():
    names, batch = shown("05_ncf_retrieval"), (*PAIRS, torch.tensor([[1, 2]] * 4))
    model = ncf.GMF(6, 9, 4)
    theirs, ours = names["PairModule"](model, lr=0.1), lightning.PairModule(model, lr=0.1)
    assert type(theirs).__module__ != type(ours).__module__
    torch.testing.assert_close(ours.batch_loss(batch), theirs.batch_loss(batch))
    theirs, ours = theirs.configure_optimizers(), ours.configure_optimizers()
    assert theirs.defaults["lr"] == ours.defaults["lr"] == 0.1
    assert theirs.defaults["weight_decay"] == ours.defaults["weight_decay"] == 0


def test_logistic_loss_of_05_is_that_of_the_package():
    theirs = shown("05_ncf_retrieval")["logistic_loss"]
    assert theirs.__module__ != losses.logistic_loss.__module__
    scores = torch.linspace(-4, 4, 3), torch.linspace(-40, 40, 12).view(3, 4)
    torch.testing.assert_close(losses.logistic_loss(*scores), theirs(*scores))


def test_matrix_factorization_of_06_is_that_of_the_package():
    theirs = shown("06_implicit_matrix_factorization")["MatrixFactorization"](6, 9, 4)
    ours = matrix_factorization.MatrixFactorization(6, 9, 4)
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(*PAIRS), theirs(*PAIRS))
    torch.testing.assert_close(ours.score_users(PAIRS[0]), theirs.score_users(PAIRS[0]))


@pytest.mark.parametrize(
    ("name", "kind"), [("PublicHybrid", "Hybrid"), ("DotProductHybrid", "HybridMF")]
)
def test_hybrids_of_07_are_those_of_the_package(name, kind):
    base, table = matrix_factorization.MatrixFactorization(6, 9, 4), torch.rand(9, 3)
    theirs = shown("07_hybrid_models")[name](base, table)
    ours = getattr(hybrid, kind).from_pretrained(base, item_features=table)
    assert theirs.state_dict().keys() == ours.state_dict().keys()
    for weight in theirs.layers[-1].parameters():
        torch.nn.init.normal_(weight)  # else the network of one of them says nothing
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(*PAIRS), theirs(*PAIRS))


def test_feature_factorization_of_07_lightfm_is_that_of_the_package():
    tables = {"user_features": torch.rand(6, 3), "item_features": torch.rand(9, 2)}
    theirs = shown("labs/07_lightfm")["LightFM"](6, 9, 4, **tables)
    ours = lightfm.LightFM(6, 9, 4, **tables)
    assert type(theirs).__module__ != type(ours).__module__
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours.score_users(PAIRS[0]), theirs.score_users(PAIRS[0]))


def test_pair_products_of_07_lightfm_are_those_of_the_package():
    theirs = shown("labs/07_lightfm")["pair_products"]
    assert theirs.__module__ != fm.pair_products.__module__
    sums = torch.rand(3, 4), torch.rand(3, 4)
    torch.testing.assert_close(theirs(*sums), fm.pair_products(*sums))
