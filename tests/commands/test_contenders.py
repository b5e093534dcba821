from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nbhelpers.commands.contenders import CONTENDERS, NAMES, Sizes, contenders_of
from nbhelpers.commands.cost_forecast import forecast_costs, what_does_not_fit
from nbhelpers.data.interactions import Interactions


def blocks(n_users=24, n_items=12):
    """Even users like even items, odd users odd ones, in the order of the items."""
    user, item = np.nonzero(np.add.outer(np.arange(n_users), np.arange(n_items)) % 2 == 0)
    kept = item // 2 != user // 2 % (n_items // 2)  # one item of each user is missing
    return Interactions(
        user[kept], item[kept], n_users=n_users, n_items=n_items, timestamps=item[kept] * 100
    )


BY_NAME = {each.name: each for each in CONTENDERS}
PERSONAL = ["ItemKNN", "EASE", "IALS", "dot product"]


@pytest.mark.parametrize("name", PERSONAL)
def test_the_missing_item_of_the_own_kind_comes_first(name):
    positives = blocks()
    contender = BY_NAME[name]
    model = contender.fitted(positives, contender.trials[0], seed=0)
    scores = model.score_users(torch.arange(24)).detach()
    scores[positives.dense(torch.arange(24))] = -torch.inf
    best = scores.argmax(dim=1)
    assert (best % 2 == torch.arange(24) % 2).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_the_model_and_no_global_generator_moves(name):
    positives, contender = blocks(), BY_NAME[name]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second = (contender.fitted(positives, contender.trials[0], seed=3) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    users = torch.arange(24)
    assert torch.equal(first.score_users(users), second.score_users(users))


@pytest.mark.parametrize("name", NAMES)
def test_every_trial_can_be_fitted(name):
    contender = BY_NAME[name]
    assert len(contender.trials) in (1, 6)
    for settings in contender.trials:
        scores = contender.fitted(blocks(), settings, seed=0).score_users(torch.tensor([0]))
        assert scores.shape == (1, 12)


def test_recent_popularity_counts_the_latest_rows_alone():
    old = Interactions(
        [0, 1, 2, 3] * 10,
        np.repeat(np.arange(10), 4),
        timestamps=np.repeat(np.arange(10), 4),
    )
    model = BY_NAME["recent popularity"].fitted(old, {"share": 0.5}, seed=0)
    assert model.item_counts.tolist() == [0.0] * 5 + [4.0] * 5


def test_last_items_score_by_the_latest_alone():
    rows = Interactions([0, 0, 1, 1, 2], [0, 1, 0, 2, 1], timestamps=[1, 2, 1, 2, 1])
    model = BY_NAME["last items"].fitted(rows, {"n_last": 1}, seed=0)
    assert model.seen.toarray().tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 0]]


def test_models_of_time_stay_away_where_there_is_none():
    names = [each.name for each in contenders_of(None, is_timed=False)]
    assert names == ["popularity", "ItemKNN", "EASE", "IALS", "dot product"]
    with pytest.raises(ValueError, match="sequence tower needs times"):
        contenders_of(["sequence tower"], is_timed=False)
    with pytest.raises(ValueError, match="no model is called 'SVD'"):
        contenders_of(["SVD"], is_timed=True)


def test_memory_of_ease_grows_with_the_square_of_the_items():
    small, large = (Sizes(10, n_items, 0, 0) for n_items in (8_000, 16_000))
    ease = BY_NAME["EASE"].n_bytes
    assert ease(large) == 4 * ease(small)
    assert ease(small) == pytest.approx(1.7e9, rel=0.1), "as measured"


def test_costs_are_carried_on_from_a_sample(monkeypatch):
    monkeypatch.setattr("nbhelpers.commands.cost_forecast.SAMPLE", 20)
    ticks = iter(range(1000))
    clock = SimpleNamespace(perf_counter=lambda: next(ticks))
    monkeypatch.setattr("nbhelpers.commands.cost_forecast.time", clock)
    rows = Interactions(np.repeat(np.arange(40), 2), [0, 1] * 40)
    costs = forecast_costs([BY_NAME["popularity"]], rows, n_trials=6, n_valid=40, n_test=80)
    # Of 40 users 10 are timed: a second for the fit, and one for their lists. All 40 take 4 s, and
    # so do their lists; one setting is tried, the last fit follows, and 80 users are tested.
    assert costs.loc["popularity", "seconds"] == 4 + 4 + 4 + 8


def test_what_does_not_fit_is_named_with_its_reason():
    costs = forecast_costs([BY_NAME["EASE"]], blocks(), n_trials=1, n_valid=24, n_test=24)
    assert what_does_not_fit(costs, memory_gb=None, minutes=10) == {}
    assert "GB may be used" in what_does_not_fit(costs, memory_gb=1e-9, minutes=10)["EASE"]
    assert "are allowed" in what_does_not_fit(costs, memory_gb=1, minutes=1e-9)["EASE"]
    with pytest.raises(ValueError, match="above 0"):
        what_does_not_fit(costs, memory_gb=1, minutes=0)


def test_capitals_in_a_name_do_not_matter():
    named = contenders_of(["ease", "Popularity"], is_timed=True)
    assert [each.name for each in named] == ["popularity", "EASE"]
