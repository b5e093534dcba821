import numpy as np
import pytest
import torch

from nbhelpers.commands.contenders import CONTENDERS, NAMES, Contender, contenders_of
from nbhelpers.commands.cost_forecast import forecast_costs, what_does_not_fit
from nbhelpers.commands.cost_formulas import COUNTING, Growth, Sizes
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
    ease = BY_NAME["EASE"].growth.n_bytes
    assert ease(large, None) == 4 * ease(small, None)
    assert ease(small, None) == pytest.approx(1.7e9, rel=0.1), "as measured"


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on only where a test says so: a list of one number."""
    now = [0.0]
    monkeypatch.setattr("nbhelpers.commands.estimate_cost._clock", lambda: ("CPU", lambda: now[0]))
    monkeypatch.setattr("nbhelpers.commands.cost_forecast.SAMPLE_ROWS", 20)
    return now


class Counted:
    """A second and a tenth for each positive to fit, half a second for the scores of a user."""

    def __init__(self, clock):
        self.clock = clock

    def fitted(self, rows, settings):
        self.clock[0] += 1 + 0.1 * len(rows)
        self.n_items = rows.n_items
        return self

    def score_users(self, user_idx):
        self.clock[0] += 0.5 * len(user_idx)
        return torch.zeros(len(user_idx), self.n_items)


def test_costs_are_carried_on_from_samples(clock):
    model = Counted(clock)
    contender = Contender("counted", "", model.fitted, ({}, {}), COUNTING)
    rows = Interactions(np.repeat(np.arange(40), 2), [0, 1] * 40)
    costs = forecast_costs([contender], rows, n_trials=6, n_valid=40, n_test=80)
    # Two settings and the last fit, each 1 s and 80 positives; two validations and the test.
    assert costs.loc["counted", "seconds"] == pytest.approx(3 * 9 + 0.5 * (2 * 40 + 80))
    assert costs.loc["counted", "megabytes"] == 16 * 80 / 1e6


def test_what_needs_more_memory_than_is_free_is_not_timed(clock):
    def refused(rows, settings):
        raise AssertionError

    huge = Contender("huge", "", refused, ({},), Growth(lambda sizes, model: 1e15))
    costs = forecast_costs([huge], blocks(), n_trials=1, n_valid=1, n_test=1)
    assert np.isnan(costs.loc["huge", "seconds"])
    assert "needs about 1e+06 GB" in what_does_not_fit(costs, memory_gb=None, minutes=1)["huge"]


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
