import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from nbhelpers.commands import cost_formulas as formulas
from nbhelpers.commands.cost_formulas import Growth, Probe, Sizes, growth_of
from nbhelpers.commands.estimate_cost import _Trial, carried, estimate_cost, in_words, summed
from nbhelpers.data.datasets.synthetic_stream import stream_pairs
from nbhelpers.data.interactions import Interactions
from nbhelpers.models.als import ALS, IALS
from nbhelpers.models.baselines import Popularity
from nbhelpers.models.item_item import EASE, ItemKNN
from nbhelpers.models.matrix_factorization import MatrixFactorization


class Work:
    """A clock that stands still but where work is counted; copies of a model share it."""

    def __init__(self):
        self.seconds = 0.0

    def __deepcopy__(self, memo):
        return self


@pytest.fixture
def work(monkeypatch):
    counted = Work()
    clock = "CPU", lambda: counted.seconds
    monkeypatch.setattr("nbhelpers.commands.estimate_cost._clock", lambda: clock)
    return counted


@pytest.fixture(scope="module")
def rows():
    (frame,) = stream_pairs(6_000, n_users=150, n_items=400, rng=0)
    return Interactions(frame["user_id"] - 1, frame["item_id"] - 1, n_users=150, n_items=400)


class Counted:
    """A fit takes what ``seconds`` says of its rows; a user's scores a millisecond an item."""

    def __init__(self, work, seconds):
        self.work, self.seconds, self.sizes = work, seconds, None

    def fit(self, rows):
        self.work.seconds += self.seconds(Sizes.of(rows), rows)
        self.n_items = rows.n_items
        return self

    def score_users(self, user_idx):
        self.work.seconds += 0.001 * len(user_idx) * self.n_items
        return torch.zeros(len(user_idx), self.n_items)


def test_fixed_part_and_share_of_the_rows_are_told_apart(work, rows):
    # tables of all users and items are made whoever is in the sample
    model = Counted(work, lambda sizes, each: 3 + 0.01 * len(each) + 0.1 * each.n_users)
    cost = estimate_cost(model, rows, sample_rows=600)
    assert cost.fit_seconds == pytest.approx(3 + 60 + 15)
    assert cost.clock == "CPU"
    assert cost.n_sampled <= 600


def test_users_cost_a_millisecond_for_each_item(work, rows):
    model = Counted(work, lambda sizes, each: 1.0)
    cost = estimate_cost(model, rows, sample_rows=600, n_evaluated=1_000, n_listed=70)
    assert cost.evaluate_seconds == pytest.approx(1_000 * 0.4)
    assert cost.lists_seconds == pytest.approx(70 * 0.4)
    everybody = estimate_cost(model, rows, sample_rows=600)
    assert everybody.evaluate_seconds == pytest.approx(150 * 0.4)


def test_nobody_is_judged_where_nobody_is_asked_for(work, rows):
    cost = estimate_cost(Counted(work, lambda sizes, each: 1.0), rows, n_evaluated=0, n_listed=0)
    assert (cost.evaluate_seconds, cost.lists_seconds) == (0, 0)


def test_work_of_pairs_of_items_is_carried_on_by_its_terms(work, rows):
    def seconds(sizes, each):
        assert sizes.n_items <= 40 or sizes.n_positives < 60, "only some items are timed"
        pairs, cells, cube = formulas.ease_terms(sizes)
        return 2 + 1e-3 * pairs + 1e-3 * cells + 1e-5 * cube

    model = Counted(work, seconds)
    growth = replace(formulas.LINEAR_ITEMS, most_items=40)
    cost = estimate_cost(model, rows, sample_rows=600, growth=growth)
    pairs = int((rows.user_counts**2).sum())
    assert cost.fit_seconds == pytest.approx(2 + 1e-3 * pairs + 1e-3 * 400**2 + 1e-5 * 400**3)


def test_an_epoch_is_taken_as_often_as_it_is_done(work, rows):
    def fit(each, *, n_epochs):
        assert n_epochs in (1, 2)
        return Counted(work, lambda *_: 5 + n_epochs * (1 + 0.01 * len(each))).fit(each)

    cost = estimate_cost(fit, rows, n_epochs=30, sample_rows=600)
    assert cost.fit_seconds == pytest.approx(5 + 30 * (1 + 60))


def test_sweeps_of_least_squares_are_counted_by_two_of_them(work, rows):
    class Sweeps(Counted):
        n_iterations = 15

        def fit(self, each):
            assert self.n_iterations in (1, 2)
            self.seconds = lambda *_: 2 + self.n_iterations * 0.01 * len(each)
            return super().fit(each)

    cost = estimate_cost(Sweeps(work, None), rows, sample_rows=600)
    assert cost.fit_seconds == pytest.approx(2 + 15 * 60)


def test_sweeps_are_carried_on_by_positives_and_by_systems(work, rows):
    class Sweeps(Counted):
        n_iterations = 15

        def fit(self, each):
            n_systems, n_sweeps = (each.user_counts > 0).sum() + each.n_items, self.n_iterations
            self.seconds = lambda *_: n_sweeps * (0.01 * len(each) + 0.02 * n_systems)
            return super().fit(each)

    cost = estimate_cost(Sweeps(work, None), rows, sample_rows=600, growth=formulas.FACTORS)
    assert cost.fit_seconds == pytest.approx(15 * (60 + 0.02 * 550))


def test_a_dense_sample_has_more_positives_a_user_and_an_item(rows):
    trial = _Trial(rows, seed=0, sample_rows=600)
    random, dense = (trial.probe(Probe(1, 10, is_dense=each), None) for each in (False, True))
    assert random.n_items == dense.n_items == 40
    assert dense.density > 1.5 * random.density
    assert abs(len(dense) - 600) < 100


def test_the_model_stays_as_it_was(rows):
    model = ALS(4, n_iterations=3)
    before = copy.deepcopy(vars(model))
    estimate_cost(model, rows, sample_rows=600)
    assert vars(model) == before


@pytest.mark.parametrize("model", [Popularity(), EASE(), ItemKNN(5), IALS(4, n_iterations=2)])
def test_models_of_the_course_have_a_cost(rows, model):
    cost = estimate_cost(model, rows, sample_rows=600)
    frame = cost.to_frame()
    assert frame.index.tolist() == ["fit", "evaluate", "lists"]
    assert np.isfinite(frame.to_numpy()).all()
    assert (frame["megabytes"] > 0).all()
    assert str(cost).startswith("fit: about ")


def test_ids_and_times_reach_the_fit(rows):
    timed = Interactions(*rows.pairs(), n_users=150, n_items=400, timestamps=np.arange(len(rows)))
    seen = []

    def fit(each):
        seen.append(each.timestamps is not None and each.users is not None)
        return Popularity().fit(each)

    estimate_cost(fit, timed, sample_rows=600)
    estimate_cost(fit, timed, sample_rows=600, growth=formulas.NEIGHBORS)
    assert all(seen)


def test_time_that_grows_faster_than_the_work_has_an_exponent():
    assert carried((10, 100), (1, 10**1.1), 1_000) == pytest.approx(10**2.2)
    assert carried((10, 100), (1, 100), 1_000) == pytest.approx(100 * 10**1.2), "at most 1.2"
    assert carried((10, 100), (5, 4), 1_000) == 4, "a fixed part alone"
    assert carried((10, 10), (4, 4), 1_000) == 400, "no two sizes: all of it grows"


def test_rates_are_never_negative():
    work = np.array([[1.0, 1.0], [2.0, 4.0], [3.0, 9.0]])
    slower = summed(work, np.array([1.0, 1.9, 2.7]), np.array([100.0, 10_000.0]))
    assert 80 < slower < 110


def test_bytes_by_hand():
    sizes = Sizes(n_users=100, n_items=50, n_positives=1_000, n_pairs=0)
    assert growth_of(EASE()).n_bytes(sizes, None) == 24 * 2_500 + 16_000
    knn = growth_of(ItemKNN(7))
    assert knn.n_bytes(sizes, ItemKNN(7)) == 12 * 2_500 + 24 * 50 * 7 + 16_000
    als = growth_of(ALS(8))
    tables = 48_000 + 3 * 4 * 8 * 150
    assert als.n_bytes(sizes, ALS(8)) == tables + 40 * 2**20
    assert als.n_bytes(sizes, ALS(8, n_cg_steps=3)) == tables + 16 * 2**20
    dense, sparse = (MatrixFactorization(100, 50, 4, sparse=sparse) for sparse in (False, True))
    module = growth_of(dense)
    rows_and_batch = 24_000 + 20 * 2**20
    n_parameters = 150 * 4 + 50
    assert module.n_bytes(sizes, dense) == 16 * n_parameters + rows_and_batch
    assert module.n_bytes(sizes, sparse) == 12 * n_parameters + rows_and_batch


def test_neighbors_are_found_in_blocks():
    small, large = (Sizes(10, n_items, 0, 0) for n_items in (20_000, 40_000))
    bytes_of = growth_of(ItemKNN()).n_bytes
    assert bytes_of(large, None) - bytes_of(small, None) == 24 * 20_000 * 100


def test_unknown_models_have_the_bytes_of_their_rows():
    assert growth_of(object()).n_bytes(Sizes(1, 1, 100, 0), object()) == 3_200


def test_a_growth_of_ones_own_is_taken(rows):
    cost = estimate_cost(Popularity(), rows, growth=Growth(lambda sizes, model: 7.0))
    assert cost.fit_bytes == 7


def test_wrong_arguments_are_refused(rows):
    with pytest.raises(ValueError, match="at least one positive"):
        estimate_cost(EASE(), Interactions([0], [0])[[False]])
    with pytest.raises(ValueError, match="a model with fit knows its own"):
        estimate_cost(EASE(), rows, n_epochs=3)
    with pytest.raises(ValueError, match="a model with fit, or a function"):
        estimate_cost("EASE", rows)
    with pytest.raises(ValueError, match="sample_rows must be at least 1"):
        estimate_cost(EASE(), rows, sample_rows=0)


def test_durations_are_said_in_a_fitting_unit():
    assert [in_words(each) for each in (0.5, 119, 121, 5_399, 5_401)] == [
        "0.5 s",
        "1.2e+02 s",
        "2 minutes",
        "90 minutes",
        "1.5 hours",
    ]
