"""The search of WARP, against a loop over positives and tries."""

import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.negatives import ExactNegatives, PairScores, UniformNegatives
from nbhelpers.sampling.violators import FirstViolators, ViolatorBatches, rank_weights
from nbhelpers.training.fit_ranking import fit_ranking

N_ITEMS = 40


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def item_is_score(user_idx, items):
    return items.float()


class Scripted:
    """Gives each user the items of a row of a table, from left to right over all calls."""

    def __init__(self, table):
        self.table, self.position = table, torch.zeros(len(table), dtype=torch.int64)

    def __call__(self, user_idx, *, n_negatives, generator):
        columns = self.position[user_idx].unsqueeze(1) + torch.arange(n_negatives)
        self.position[user_idx] += n_negatives
        return self.table[user_idx.unsqueeze(1), columns]


def by_loop(script, positives, *, n_tries, margin):
    negatives, tries = [], []
    for row, positive in zip(script.tolist(), positives.tolist(), strict=True):
        found = 0
        for number, item in enumerate(row[:n_tries], start=1):
            if item > positive - margin:
                found = number
                break
        negatives.append(item)
        tries.append(found)
    return negatives, tries


@pytest.mark.parametrize("n_tries", [1, 5, 8, 9, 40, 600])
@pytest.mark.parametrize("margin", [0.5, 3.0])
def test_the_search_finds_what_a_loop_finds(n_tries, margin):
    positives = torch.arange(N_ITEMS).repeat(5)
    script = torch.randint(N_ITEMS, (len(positives), n_tries), generator=seeded())
    search = FirstViolators(Scripted(script), item_is_score, n_tries=n_tries, margin=margin)
    rows = torch.arange(len(positives))
    negatives, tries = search(rows, positives, generator=seeded())
    wanted = by_loop(script, positives, n_tries=n_tries, margin=margin)
    assert (negatives.tolist(), tries.tolist()) == wanted


def test_a_score_at_the_margin_itself_is_no_violator():
    search = FirstViolators(Scripted(torch.tensor([[4, 5]])), item_is_score, n_tries=2, margin=1.0)
    negatives, tries = search(torch.tensor([0]), torch.tensor([5]), generator=seeded())
    assert (negatives.tolist(), tries.tolist()) == ([5], [2])


def test_a_positive_above_all_finds_nothing():
    search = FirstViolators(UniformNegatives(5), item_is_score, n_tries=100, margin=1.0)
    _, tries = search(torch.tensor([0]), torch.tensor([50]), generator=seeded())
    assert tries.tolist() == [0]


def test_one_violator_in_four_takes_four_tries_on_average():
    search = FirstViolators(UniformNegatives(4), item_is_score, n_tries=1000, margin=0.5)
    users, positives = torch.zeros(20_000, dtype=torch.int64), torch.full((20_000,), 3)
    negatives, tries = search(users, positives, generator=seeded())
    assert negatives.unique().tolist() == [3]
    assert tries.double().mean().item() == pytest.approx(4, abs=0.1)


def test_a_batch_of_none():
    search = FirstViolators(UniformNegatives(4), item_is_score, n_tries=3)
    none = torch.tensor([], dtype=torch.int64)
    negatives, tries = search(none, none, generator=seeded())
    assert (negatives.shape, tries.shape) == ((0,), (0,))


def test_weights_are_sums_of_reciprocals():
    wanted = [sum(1 / rank for rank in range(1, 100 // tries + 1)) for tries in range(1, 101)]
    got = rank_weights(torch.arange(1, 101), n_items=101)
    torch.testing.assert_close(got, torch.tensor(wanted))


def test_without_a_violator_the_weight_is_that_of_the_first_rank():
    weights = rank_weights(torch.tensor([0, 1]), n_items=3)
    torch.testing.assert_close(weights, torch.tensor([1.0, 1.5]))


def test_weights_of_float64_are_not_rounded_to_float32():
    weights = rank_weights(torch.tensor([1]), n_items=4, dtype=torch.float64)
    torch.testing.assert_close(weights, torch.tensor([1 + 1 / 2 + 1 / 3], dtype=torch.float64))


def test_a_catalog_of_one_is_refused():
    with pytest.raises(ValueError, match="n_items must be at least 2, got 1"):
        rank_weights(torch.tensor([1]), n_items=1)


def test_no_try_is_refused():
    with pytest.raises(ValueError, match="n_tries"):
        FirstViolators(UniformNegatives(4), item_is_score, n_tries=0)


def test_batches_bring_each_positive_once_and_never_one_as_negative():
    train = Interactions([0, 0, 1, 2, 2, 2], [0, 1, 2, 0, 3, 4], n_users=3, n_items=6)
    search = FirstViolators(ExactNegatives(train), item_is_score, n_tries=5)
    batches = ViolatorBatches(train, search, batch_size=4, generator=seeded())
    passed = list(batches)
    assert len(passed) == len(batches) == 2
    pairs = torch.cat([torch.stack(batch[:2], dim=1) for batch in passed]).tolist()
    assert sorted(pairs) == torch.stack(list(train.pairs()), dim=1).tolist()
    for user_idx, _, negatives, _ in passed:
        assert not train.contains(user_idx.unsqueeze(1), negatives).any()


def test_weights_of_pairs_multiply_those_of_ranks():
    train = Interactions([0, 1], [0, 1], n_users=2, n_items=3, weights=[5, 2])
    search = FirstViolators(ExactNegatives(train), lambda u, i: i * 0.0, n_tries=2)
    batches = ViolatorBatches(train, search, batch_size=2, generator=seeded())
    user_idx, _, _, weights = next(iter(batches))
    assert weights[user_idx.argsort()].tolist() == [7.5, 3.0]


def test_training_with_it_finds_the_checkerboard():
    pairs = [(user, item) for user in range(8) for item in range(8) if (user + item) % 2 == 0]
    held_out = {(user, (user + 2) % 8) for user in range(8)}
    train = Interactions(
        *zip(*[pair for pair in pairs if pair not in held_out], strict=True), n_users=8, n_items=8
    )
    torch.manual_seed(0)
    model = MatrixFactorization(8, 8, 4)
    search = FirstViolators(ExactNegatives(train), PairScores(model), n_tries=7)
    batches = ViolatorBatches(train, search, batch_size=8, generator=seeded())

    def warp(positive, negative, *, weights):
        return (weights * (1 - positive + negative.squeeze(1)).relu()).mean()

    fit_ranking(model, batches, loss=warp, n_epochs=60, lr=0.05, wd=2.0, device="cpu")
    scores = model.score_users(torch.arange(8)).detach()
    scores[train.pairs()] = -torch.inf
    assert scores.argmax(dim=1).tolist() == [(user + 2) % 8 for user in range(8)]
