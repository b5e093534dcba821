"""What every model of the package must do, whatever is inside it."""

import copy
import functools
import importlib
import inspect
import pickle
import pkgutil

import pytest
import torch
from torch import nn

from nbhelpers import models
from nbhelpers.core.recommender import HasState, HasVectors, KnowsTraining, Storable
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models import collab_nn, ordinal
from nbhelpers.models.collab_nn import PairInput
from nbhelpers.models.sequence_tower import SequenceTower
from nbhelpers.models.summary import summary
from nbhelpers.serving.storage import load_model, save_model
from nbhelpers.training import losses
from nbhelpers.training.fit import seed_everything
from nbhelpers.training.fit_ranking import pair_loss
from nbhelpers.training.losses import hinge_loss, logistic_loss
from nbhelpers.training.optimizers import adam
from nbhelpers.training.partial_credit import partial_credit
from tests.models.cases import (
    BATCH,
    EVERY,
    EVERYONE,
    FEW,
    PAIRS,
    RATING_CASES,
    SOLVED_CASES,
    STEPPING,
    TRAINED,
)

N_USERS, N_ITEMS = FEW[:2]
SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 10))]


def each(cases, name="case"):
    return pytest.mark.parametrize(name, cases.values(), ids=cases.keys())


@functools.cache
def ready(name):
    """A model of each case, with large weights or fitted, made once: no test changes it."""
    return EVERY[name].ready()


by_model = pytest.mark.parametrize("model", EVERY, indirect=True)
by_scorer = pytest.mark.parametrize(
    "model", [name for name in EVERY if name != "log-probabilities"], indirect=True
)
by_pairs = pytest.mark.parametrize("model", TRAINED, indirect=True)


@pytest.fixture
def model(request):
    return ready(request.param)


# Scores


@by_pairs
def test_one_number_for_each_pair(model):
    score = model(*PAIRS)
    assert score.shape == (4,)
    assert score.is_floating_point()


@by_pairs
def test_batch_equals_one_by_one(model):
    alone = [model(*(x[k : k + 1] for x in PAIRS)) for k in range(4)]
    torch.testing.assert_close(torch.cat(alone), model(*PAIRS))


@by_pairs
def test_score_does_not_depend_on_batch_mates(model):
    alone = model(torch.tensor([2]), torch.tensor([8]))
    for user, item in ((2, 0), (2, 3), (4, 8), (4, 0)):  # items of six genres, of none, of one
        together = model(torch.tensor([2, user, user]), torch.tensor([8, item, item]))
        torch.testing.assert_close(together[:1], alone)


@by_pairs
@pytest.mark.parametrize("chunk_size", [1, 20, 65_536])
def test_score_users_agrees_with_pairs(model, chunk_size, monkeypatch):
    for module in (collab_nn, ordinal):
        monkeypatch.setattr(module, "CHUNK_SIZE", chunk_size)
    users = torch.tensor([5, 1, 1, 0, 3])
    scores = model.score_users(users)
    assert scores.shape == (5, N_ITEMS)
    one_by_one = model(users.repeat_interleave(N_ITEMS), torch.arange(N_ITEMS).repeat(5))
    torch.testing.assert_close(scores.flatten(), one_by_one)


@by_scorer
def test_scores_of_users_do_not_depend_on_each_other(model):
    users = torch.tensor([4, 1, 1, 0])
    scores = model.score_users(users)
    assert scores.shape == (4, N_ITEMS)
    assert scores.is_floating_point()
    alone = [model.score_users(users[k : k + 1]) for k in range(4)]
    torch.testing.assert_close(torch.cat(alone), scores)


@by_scorer
def test_scores_of_nobody_are_an_empty_table(model):
    assert model.score_users(torch.tensor([], dtype=torch.int64)).shape == (0, N_ITEMS)


@by_scorer
def test_vectors_multiply_to_the_scores_before_their_range(model):
    if not isinstance(model, HasVectors):
        pytest.skip("scores are no products")
    items = torch.arange(N_ITEMS)
    products = model.user_vectors(EVERYONE) @ model.item_vectors(items).T
    low, high = model.y_range or (0.0, 1.0)
    expected = low + (high - low) * products.sigmoid() if model.y_range else products
    torch.testing.assert_close(model.score_users(EVERYONE), expected)


@each(RATING_CASES)
def test_pairs_in_one_tensor_give_the_same_predictions(case):
    model = case.ready()
    torch.testing.assert_close(PairInput(model)(torch.stack(PAIRS, dim=1)), model(*PAIRS))


# Training


@each(TRAINED)
def test_loss_reaches_every_parameter(case):
    model = case.make(FEW)
    case.batch_loss(model).backward()
    gradients = [weight.grad for weight in model.parameters()]
    assert all(gradient is not None and gradient.to_dense().any() for gradient in gradients)


@each(TRAINED)
def test_one_batch_can_be_learned_by_heart(case):
    seed_everything(0)
    assert case.is_learned(case.by_heart(case.make(FEW)))


def scores_after_few_steps(case, seed):
    seed_everything(seed)
    return case.few_steps(case.make(FEW)).score_users(EVERYONE)


@each(TRAINED)
def test_seed_decides_the_result(case):
    first, again = (scores_after_few_steps(case, seed=3) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, scores_after_few_steps(case, seed=4))


@each(TRAINED | SOLVED_CASES)
@pytest.mark.parametrize("seed", SEEDS)
def test_planted_structure_is_found(case, seed):
    """Of ratings: two factors; of positives: clubs of users and items."""
    assert case.finds_structure(seed)


# Objects


@by_model
def test_settings_build_the_model_anew(model):
    again = type(model)(**model.settings())
    assert repr(again).split(": ")[0] == repr(model).split(": ")[0]
    assert again.settings().keys() == model.settings().keys()
    named = inspect.signature(type(model)).parameters.keys()
    assert model.settings().keys() | {"generator"} == named | {"generator"}


@by_model
def test_a_line_shows_class_settings_and_sizes(model):
    assert repr(model).startswith(f"{type(model).__name__}(")
    assert "6 users, 9 items" in repr(model)
    assert "\n" not in repr(model)
    assert " at 0x" not in repr(model), "the same in every run"


@by_model
def test_sizes_are_those_of_the_tables(model):
    assert (model.n_users, model.n_items) == (N_USERS, N_ITEMS)


@by_scorer
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_has_settings_and_scores(model, copied):
    other = copied(model)
    assert repr(other) == repr(model)
    torch.testing.assert_close(other.score_users(EVERYONE), model.score_users(EVERYONE))


@by_model
def test_state_goes_into_a_model_of_the_same_settings(model):
    if not isinstance(model, HasState):
        pytest.skip("puts others together")
    other = type(model)(**copy.deepcopy(model.settings()))
    other.load_state_dict(model.state_dict())
    other = other.eval() if isinstance(other, nn.Module) else other
    torch.testing.assert_close(scorer(other)(*PAIRS), scorer(model)(*PAIRS))


@by_model
def test_stored_and_loaded_models_give_the_same_scores(model, tmp_path):
    ids = {"users": Vocabulary(range(N_USERS)), "items": Vocabulary(range(N_ITEMS))}
    save_model(tmp_path, model, **ids)
    loaded = load_model(tmp_path).model
    assert type(loaded) is type(model)
    assert repr(loaded) == repr(model)
    torch.testing.assert_close(scorer(loaded)(*PAIRS), scorer(model)(*PAIRS))


@pytest.mark.parametrize("model", SOLVED_CASES, indirect=True)
def test_who_was_trained_on_comes_back_with_a_stored_model(model, tmp_path):
    assert isinstance(model, KnowsTraining)
    save_model(tmp_path, model, users=Vocabulary(range(6)), items=Vocabulary(range(9)))
    loaded = load_model(tmp_path).model
    assert loaded.trained_users.tolist() == model.trained_users.tolist()
    assert loaded.trained_items.tolist() == model.trained_items.tolist()


@pytest.mark.parametrize("model", TRAINED, indirect=True)
def test_the_summary_counts_every_parameter(model):
    table = summary(model)
    assert table.parameters["total"] == sum(weight.numel() for weight in model.parameters())
    assert table.parameters.iloc[:-2].sum() == table.parameters["total"]


def test_no_model_is_left_out():
    tried = {type(ready(name)) for name in EVERY}
    bases = {base for kind in tried for base in kind.__mro__[1:]}
    for module in pkgutil.iter_modules(models.__path__, "nbhelpers.models."):
        for kind in vars(importlib.import_module(module.name)).values():
            own = isinstance(kind, type) and kind.__module__ == module.name
            if own and issubclass(kind, Storable) and hasattr(kind, "score_users"):
                assert kind in tried | bases, f"{kind} has no case"


# Losses


def in_batch_loss(model, batch):
    """Each row's user against the positives of all rows."""
    user_idx, item_idx, _ = batch
    n_rows = len(user_idx)
    scores = model(user_idx.repeat_interleave(n_rows), item_idx.repeat(n_rows))
    return losses.sampled_softmax_loss(scores.view(n_rows, n_rows), item_idx)


def on_negatives(loss):
    return functools.partial(pair_loss, loss=loss)


LOSSES = {
    "logistic_loss": on_negatives(logistic_loss),
    "softmax_loss": on_negatives(losses.softmax_loss),
    "bpr_loss": on_negatives(losses.bpr_loss),
    "hinge_loss": on_negatives(hinge_loss),
    "adaptive_hinge_loss": on_negatives(losses.adaptive_hinge_loss),
    "warp_loss": on_negatives(functools.partial(losses.warp_loss, n_items=N_ITEMS)),
    "sampled_softmax_loss": in_batch_loss,
    "partial_credit": on_negatives(
        partial_credit(losses.bpr_loss, {"decade": torch.arange(N_ITEMS) % 3}, {"decade": 1})
    ),
}


def test_no_loss_is_left_out():
    public = {name for name in vars(losses) if name.endswith("_loss") and name[0] != "_"}
    assert (public | {"partial_credit"}) - {"full_softmax_loss"} == LOSSES.keys()


def scorer(model):
    """The model as a function of pairs."""
    if isinstance(model, nn.Module) and not isinstance(model, SequenceTower | PairInput):
        return model
    return lambda users, items: model.score_users(users).gather(1, items.unsqueeze(1)).squeeze(1)


def step(model, loss):
    """The model's loss before one step of Adam."""
    optimizer = adam(model, lr=0.03)
    value = loss(scorer(model), BATCH)
    value.backward()
    optimizer.step()
    return value.item()


def sides(model):
    """Copies of the weights of the users' side and of the items', all but the biases."""
    weights = {
        name: weight.detach().clone()
        for name, weight in model.named_parameters()
        if "bias" not in name
    }
    users = [weight for name, weight in weights.items() if "user" in name or name == "log_weight"]
    return users, [weight for name, weight in weights.items() if "item" in name]


@each(STEPPING)
@each(LOSSES, "loss")
def test_first_step_of_every_loss_moves_users_and_items(case, loss):
    seed_everything(0)
    model = case.make(FEW)
    before = sides(model)
    assert torch.tensor(step(model, loss)).isfinite()
    for old, new in zip(before, sides(model), strict=True):
        assert any(not torch.equal(*pair) for pair in zip(old, new, strict=True))
        assert all(weight.isfinite().all() for weight in new)
