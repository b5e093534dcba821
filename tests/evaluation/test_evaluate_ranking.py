import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.beyond_accuracy import coverage, novelty
from nbhelpers.evaluation.evaluate import (
    evaluate_ranking,
    evaluate_sampled,
    evaluate_unmasked,
)
from nbhelpers.evaluation.report import METRICS
from tests.fake_gpu import DEVICE, fake_gpu

N_USERS, N_ITEMS = 30, 40


class Table:
    """Fixed scores; remembers how many users it was asked for."""

    def __init__(self, scores):
        self.scores, self.asked = scores, []

    def score_users(self, user_idx):
        self.asked.append(len(user_idx))
        return self.scores[user_idx]


class Network(nn.Module):
    def __init__(self, scores):
        super().__init__()
        self.table = nn.Embedding.from_pretrained(scores, freeze=False)
        self.inner = nn.Sequential(nn.Dropout(0.5))
        self.inner.eval()
        self.modes = []

    def score_users(self, user_idx):
        self.modes.append((self.training, self.inner.training, torch.is_grad_enabled()))
        return self.table(user_idx)


def pairs_of(mask):
    return Interactions(*mask.nonzero(as_tuple=True), n_users=N_USERS, n_items=N_ITEMS)


@pytest.fixture
def parts(rng):
    """Seen and held-out pairs; users 3 and 17 have nothing held out, user 5 has seen nothing."""
    kind = torch.tensor(rng.choice(3, size=(N_USERS, N_ITEMS), p=[0.7, 0.2, 0.1]))
    kind[[3, 17]] = kind[[3, 17]].clamp(max=1)
    kind[5] = kind[5] // 2 * 2
    kind[:, 0] = torch.where(torch.isin(torch.arange(N_USERS), torch.tensor([3, 17])), 0, 2)
    return pairs_of(kind == 1), pairs_of(kind == 2)


@pytest.fixture
def scores(rng):
    """Stars of one to five: full of ties."""
    return torch.tensor(rng.integers(1, 6, (N_USERS, N_ITEMS))).float()


def plain_loop(scores, held_out, seen, k):
    """One user after the other with lists and sets; ties put other items first."""
    rows = []
    for user in range(N_USERS):
        wanted, masked = set(held_out.items_of(user).tolist()), set(seen.items_of(user).tolist())
        if not wanted:
            continue
        ranked = sorted(
            set(range(N_ITEMS)) - masked,
            key=lambda item: (-scores[user, item].item(), item in wanted),
        )
        ranks = [rank for rank, item in enumerate(ranked, start=1) if item in wanted]
        hits = [rank for rank in ranks if rank <= k]
        best = range(1, min(len(wanted), k) + 1)
        others = [rank for rank in range(1, len(ranked) + 1) if rank not in ranks]
        rows.append(
            {
                "user_idx": user,
                "n_positives": len(wanted),
                "rank": ranks[0],
                "hit_rate": float(bool(hits)),
                "ndcg": sum(1 / np.log2(1 + r) for r in hits)
                / sum(1 / np.log2(1 + r) for r in best),
                "map": sum((n + 1) / rank for n, rank in enumerate(hits)) / len(wanted),
                "reciprocal_rank": 1 / ranks[0],
                "precision": len(hits) / k,
                "recall": len(hits) / len(wanted),
                "auc": np.mean([one < two for one in ranks for two in others]),
                "map_capped": sum((n + 1) / rank for n, rank in enumerate(hits))
                / min(k, len(wanted)),
            }
        )
    return pd.DataFrame(rows)


NOTHING = pairs_of(torch.zeros(N_USERS, N_ITEMS, dtype=torch.bool))


@pytest.mark.parametrize("k", [1, 10, 100])
def test_masked_evaluation_agrees_with_a_plain_loop(parts, scores, k):
    seen, held_out = parts
    found = evaluate_ranking(Table(scores), held_out, seen=seen, k=k)
    pd.testing.assert_frame_equal(found.per_user, plain_loop(scores, held_out, seen, k))
    assert found.n_left_out == 2
    assert (found.k, found.protocol) == (k, "whole catalog, seen items masked")


def test_unmasked_evaluation_agrees_with_a_plain_loop(parts, scores):
    _, held_out = parts
    found = evaluate_unmasked(Table(scores), held_out, k=5)
    pd.testing.assert_frame_equal(found.per_user, plain_loop(scores, held_out, NOTHING, 5))
    assert found.protocol == "whole catalog, nothing masked"


def test_masking_changes_what_is_measured(parts):
    seen, held_out = parts
    everyone = torch.arange(N_USERS)
    memory = Table(2.0 * seen.dense(everyone) + held_out.dense(everyone))
    assert evaluate_ranking(memory, held_out, seen=seen, k=3).mean("hit_rate") == 1.0
    # above the held-out items stand three seen ones or more, but for user 5, who saw nothing
    assert evaluate_unmasked(memory, held_out, k=3).mean("hit_rate") == pytest.approx(1 / 28)


@pytest.mark.parametrize("chunk_size", [1, N_ITEMS, 7 * N_ITEMS + 3, 10**6])
def test_blocks_do_not_change_the_result_and_bound_the_scores(parts, scores, chunk_size):
    seen, held_out = parts
    model = Table(scores)
    whole = evaluate_ranking(Table(scores), held_out, seen=seen)
    found = evaluate_ranking(model, held_out, seen=seen, chunk_size=chunk_size)
    pd.testing.assert_frame_equal(found.per_user, whole.per_user)
    assert found.lists.equal(whole.lists)
    assert max(model.asked) == min(max(1, chunk_size // N_ITEMS), 28)
    assert sum(model.asked) == 28


def test_lists_hold_no_seen_item_and_the_best_of_the_rest(parts, scores):
    seen, held_out = parts
    found = evaluate_ranking(Table(scores), held_out, seen=seen, k=4)
    users = torch.tensor(found.per_user["user_idx"].to_numpy())
    assert not seen.contains(users.unsqueeze(1), found.lists).any()
    for user, items in zip(users.tolist(), found.lists.tolist(), strict=True):
        allowed = set(range(N_ITEMS)) - set(seen.items_of(user).tolist())
        best = sorted(allowed, key=lambda item: (-scores[user, item].item(), item))
        assert items == best[:4]
    assert 0 < coverage(found.lists, n_items=N_ITEMS) <= 1
    assert novelty(found.lists, seen.item_counts, n_users=N_USERS).shape == (28,)


def test_checkerboard_is_solved_by_taste_alone(checkerboard):
    liked = checkerboard[checkerboard["rating"] == 5]
    chosen = liked["user_id"] == liked["item_id"]
    users, items = Vocabulary(liked["user_id"]), Vocabulary(liked["item_id"])
    seen, held_out = (
        Interactions.from_frame(part, users=users, items=items)
        for part in (liked[~chosen], liked[chosen])
    )
    seen_by = seen.dense(torch.arange(8)).double()
    found = evaluate_ranking(Table(seen_by @ seen_by.T @ seen_by), held_out, seen=seen, k=1)
    assert found.mean("hit_rate") == 1.0


def test_column_of_the_unknown_item_is_cut(parts, scores):
    seen, held_out = parts
    wider = torch.cat([scores, torch.full((N_USERS, 1), 99.0)], dim=1)
    found = evaluate_ranking(Table(wider), held_out, seen=seen)
    expected = evaluate_ranking(Table(scores), held_out, seen=seen)
    pd.testing.assert_frame_equal(found.per_user, expected.per_user)


def test_scores_of_the_model_are_left_alone(parts, scores):
    before = scores.clone()
    evaluate_ranking(Table(scores), parts[1], seen=parts[0])
    assert scores.equal(before)


def test_module_is_evaluated_without_dropout_and_gets_its_modes_back(parts, scores):
    model = Network(scores)
    evaluate_ranking(model, parts[1], seen=parts[0])
    assert model.modes == [(False, False, False)]
    assert model.training
    assert not model.inner.training
    model.table.weight.data[4] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        evaluate_ranking(model, parts[1], seen=parts[0])
    assert model.training


class OnGpu:
    """Fixed scores on the fake GPU."""

    def __init__(self, scores):
        self.scores, self.device = scores.to(DEVICE), DEVICE

    def score_users(self, user_idx):
        return self.scores[user_idx]


@pytest.mark.parametrize("gains", ["binary", "weights"])
def test_all_is_measured_on_the_device_of_the_scores(parts, scores, gains):
    seen, held_out = parts[0], graded(parts[1])
    candidates = one_each(held_out)
    settings = {"seen": seen, "k": 5, "gains": gains, "chunk_size": 7 * N_ITEMS}
    expected = evaluate_ranking(Table(scores), held_out, **settings)
    sampled = evaluate_sampled(Table(scores), *candidates)
    with fake_gpu():
        found = evaluate_ranking(OnGpu(scores), held_out, **settings)
        sampled_there = evaluate_sampled(OnGpu(scores), *candidates)
    pd.testing.assert_frame_equal(found.per_user, expected.per_user)
    assert found.lists.equal(expected.lists)
    pd.testing.assert_frame_equal(sampled_there.per_user, sampled.per_user)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_gpu_gives_the_same_result(parts, scores):
    seen, held_out = parts
    candidates = one_each(held_out)
    expected = evaluate_ranking(Network(scores), held_out, seen=seen)
    found = evaluate_ranking(Network(scores).cuda(), held_out, seen=seen)
    pd.testing.assert_frame_equal(found.per_user, expected.per_user)
    assert found.lists.equal(expected.lists)
    on_cpu = evaluate_sampled(Network(scores), *candidates)
    on_gpu = evaluate_sampled(Network(scores).cuda(), *candidates)
    pd.testing.assert_frame_equal(on_gpu.per_user, on_cpu.per_user)


def one_each(held_out):
    """The last held-out item of each user, and candidates: that one, then 9 others."""
    users = torch.from_numpy(held_out.user_counts.nonzero()[0])
    last = torch.tensor([int(held_out.items_of(user)[-1]) for user in users.tolist()])
    others = (last.unsqueeze(1) + torch.arange(1, 10)) % N_ITEMS
    single = Interactions(users, last, n_users=N_USERS, n_items=N_ITEMS)
    return single, torch.cat([last.unsqueeze(1), others], dim=1)


@pytest.mark.parametrize("chunk_size", [1, 7 * N_ITEMS, 10**6])
def test_sampled_evaluation_agrees_with_a_plain_loop(parts, scores, chunk_size):
    held_out, candidates = one_each(parts[1])
    found = evaluate_sampled(Table(scores), held_out, candidates, k=3, chunk_size=chunk_size)
    users = found.per_user["user_idx"].tolist()
    for row, (user, items) in enumerate(zip(users, candidates.tolist(), strict=True)):
        values = scores[user, items].tolist()
        rank = 1 + sum(value >= values[0] for value in values[1:])
        assert found.per_user["rank"][row] == rank
        assert found.per_user["hit_rate"][row] == float(rank <= 3)
        assert found.per_user["auc"][row] == pytest.approx((10 - rank) / 9)
        assert set(found.lists[row].tolist()) <= set(items)
    assert found.protocol == "positive among 9 sampled items"


def graded(held_out):
    """The same pairs with weights of one to five."""
    user_idx, item_idx = held_out.pairs()
    weights = 1 + (3 * user_idx + item_idx) % 5
    return Interactions(user_idx, item_idx, n_users=N_USERS, n_items=N_ITEMS, weights=weights)


def graded_by_hand(scores, held_out, seen, *, k, worth):
    """NDCG of each user by a walk down the list; of ties the item worth least comes first."""
    values = []
    for user in range(N_USERS):
        items = held_out.items_of(user).tolist()
        weights = held_out.weights[held_out.indptr[user] : held_out.indptr[user + 1]].tolist()
        gains = {item: worth(weight) for item, weight in zip(items, weights, strict=True)}
        ranked = sorted(
            set(range(N_ITEMS)) - set(seen.items_of(user).tolist()),
            key=lambda item: (-scores[user, item].item(), gains.get(item, 0.0)),
        )
        best = sorted(gains.values(), reverse=True)
        found = [gains.get(item, 0.0) for item in ranked]
        if items:
            values.append(discounted(found[:k]) / discounted(best[:k]))
    return values


def discounted(gains):
    return sum(gain / np.log2(1 + rank) for rank, gain in enumerate(gains, start=1))


@pytest.mark.parametrize("k", [1, 5, 100])
@pytest.mark.parametrize(
    ("gains", "worth"),
    [("weights", lambda weight: weight), ("2**weights - 1", lambda weight: 2**weight - 1)],
)
def test_graded_ndcg_agrees_with_a_plain_loop(parts, scores, k, gains, worth):
    seen, held_out = parts[0], graded(parts[1])
    found = evaluate_ranking(Table(scores), held_out, seen=seen, k=k, gains=gains)
    expected = graded_by_hand(scores, held_out, seen, k=k, worth=worth)
    np.testing.assert_allclose(found.per_user["ndcg"], expected)
    assert found.protocol == f"whole catalog, seen items masked, gains {gains}"
    unmasked = evaluate_unmasked(Table(scores), held_out, k=k, gains=gains)
    expected = graded_by_hand(scores, held_out, NOTHING, k=k, worth=worth)
    np.testing.assert_allclose(unmasked.per_user["ndcg"], expected)


def test_weights_are_ignored_by_default_and_change_ndcg_alone(parts, scores):
    seen, held_out = parts
    plain = evaluate_ranking(Table(scores), held_out, seen=seen)
    ignored = evaluate_ranking(Table(scores), graded(held_out), seen=seen)
    by_weight = evaluate_ranking(Table(scores), graded(held_out), seen=seen, gains="weights")
    pd.testing.assert_frame_equal(ignored.per_user, plain.per_user)
    others = plain.per_user.columns.drop("ndcg")
    pd.testing.assert_frame_equal(by_weight.per_user[others], plain.per_user[others])
    assert (by_weight.per_user["ndcg"] - plain.per_user["ndcg"]).abs().max() > 0.01


def test_graded_and_plain_scores_are_not_compared(parts, scores):
    seen, held_out = parts[0], graded(parts[1])
    plain = evaluate_ranking(Table(scores), held_out, seen=seen)
    with pytest.raises(ValueError, match="only like can be compared"):
        plain.against(evaluate_ranking(Table(scores), held_out, seen=seen, gains="weights"), "ndcg")


def test_gains_that_do_not_exist_or_have_no_weights_are_refused(parts, scores):
    seen, held_out = parts
    with pytest.raises(ValueError, match="gains='weights' needs held-out pairs with weights"):
        evaluate_ranking(Table(scores), held_out, seen=seen, gains="weights")
    with pytest.raises(ValueError, match=r"gains must be one of .* got 'stars'"):
        evaluate_unmasked(Table(scores), graded(held_out), gains="stars")


def test_repeated_candidates_are_ranked_once_if_ignored():
    held_out = Interactions([0, 1], [1, 2], n_users=2, n_items=5)
    # user 0 meets the positive twice more, user 1 item 4 once more
    candidates = torch.tensor([[1, 1, 3, 1], [2, 4, 0, 4]])
    model = Table(torch.tensor([[0.1, 0.5, 0.2, 0.9, 0.3], [0.1, 0.2, 0.3, 0.4, 0.5]]))
    found = evaluate_sampled(model, held_out, candidates, k=4, repeats="ignore")
    assert found.per_user["rank"].tolist() == [2, 2]
    assert found.per_user["auc"].tolist() == [0.0, 0.5]
    assert found.lists.tolist() == [[3, 1, -1, -1], [4, 2, 0, -1]]
    assert found.protocol == "positive among 3 sampled items, repeated ones ignored"
    with pytest.raises(ValueError, match="2 rows hold an item twice"):
        evaluate_sampled(model, held_out, candidates)
    with pytest.raises(ValueError, match="repeats must be 'refuse' or 'ignore', got 'once'"):
        evaluate_sampled(model, held_out, candidates, repeats="once")


def test_of_a_repeated_positive_the_first_is_ranked_in_long_rows_too():
    held_out = Interactions([0], [1], n_users=1, n_items=5)
    candidates = torch.tensor([[1, *[1, 4, 0] * 30]])
    model = Table(torch.tensor([[0.1, 0.5, 0.2, 0.9, 0.7]]))
    found = evaluate_sampled(model, held_out, candidates, k=10, repeats="ignore")
    assert found.per_user["rank"].tolist() == [2]
    assert found.lists.tolist() == [[4, 1, 0, *[-1] * 7]]


def test_ignoring_repeats_changes_nothing_where_there_are_none(parts, scores):
    single = one_each(parts[1])
    plain = evaluate_sampled(Table(scores), *single)
    found = evaluate_sampled(Table(scores), *single, repeats="ignore")
    pd.testing.assert_frame_equal(found.per_user, plain.per_user)
    assert found.lists.equal(plain.lists)


def test_nothing_left_to_compare_with_is_nan_with_its_count():
    seen = Interactions([0], [0], n_users=1, n_items=2)
    held_out = Interactions([0], [1], n_users=1, n_items=2)
    found = evaluate_ranking(Table(torch.tensor([[2.0, 1.0]])), held_out, seen=seen)
    assert (found.count("auc"), found.count("ndcg")) == (0, 1)
    assert np.isnan(found.mean("auc"))
    assert np.isnan(found.interval("auc")).all()
    assert found.table().loc["auc"].isna().all()
    assert found.table().loc["ndcg"].tolist() == [1.0, 1.0, 1.0]
    test = found.against(found, "auc")
    assert test.n_users == 0
    assert np.isnan([test.difference, *test.interval, test.p_value]).all()
    assert "auc nan" in repr(found)


def test_users_without_a_seen_item_are_counted(parts, scores):
    seen, held_out = parts
    found = evaluate_ranking(Table(scores), held_out, seen=seen)
    assert found.n_cold == 1  # user 5
    nobody_else = evaluate_ranking(Table(scores), parts[1], seen=NOTHING)
    assert nobody_else.n_cold == 28  # the two users without a held-out positive do not count
    assert "2 without a held-out positive left out, 1 without a seen item" in repr(found)
    assert evaluate_unmasked(Table(scores), held_out).n_cold is None


def test_means_intervals_and_table(parts, scores):
    found = evaluate_ranking(Table(scores), parts[1], seen=parts[0])
    values = found.per_user["ndcg"].to_numpy()
    low, high = found.interval("ndcg")
    assert low < found.mean("ndcg") == pytest.approx(values.mean())
    assert values.mean() < high
    spread = values.std() / np.sqrt(len(values))
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.2)
    table = found.table(["ndcg", "auc"])
    assert list(table.index) == ["ndcg", "auc"]
    assert tuple(table.loc["ndcg"]) == (found.mean("ndcg"), low, high)
    assert list(found.table().index) == list(METRICS)


def test_printed_line_says_what_was_measured(parts, scores):
    found = evaluate_ranking(Table(scores), parts[1], seen=parts[0])
    line = repr(found)
    assert line.startswith(
        "whole catalog, seen items masked, k = 10, 28 users (2 without a held-out positive"
    )
    assert f"ndcg {found.mean('ndcg'):.3f}" in line


def test_auc_of_a_user_who_leaves_no_other_candidate_is_left_out_of_the_mean():
    seen = Interactions([0, 1], [0, 0], n_users=2, n_items=3)
    held_out = Interactions([0, 0, 1], [1, 2, 1], n_users=2, n_items=3)
    found = evaluate_ranking(Table(torch.tensor([[3.0, 2.0, 1.0]] * 2)), held_out, seen=seen)
    assert found.per_user["auc"].isna().tolist() == [True, False]
    assert found.mean("auc") == 1.0
    assert found.interval("auc") == (1.0, 1.0)
    assert found.against(found, "auc").n_users == 1


def test_two_models_are_compared_user_by_user(parts, scores):
    seen, held_out = parts
    better = scores + held_out.dense(torch.arange(N_USERS)).float()
    one = evaluate_ranking(Table(better), held_out, seen=seen)
    two = evaluate_ranking(Table(scores), held_out, seen=seen)
    test = one.against(two, "auc")
    assert test.difference == pytest.approx(one.mean("auc") - two.mean("auc"))
    assert test.interval[0] > 0
    assert test.p_value < 0.01
    assert two.against(one, "auc").difference == -test.difference


def test_only_like_is_compared(parts, scores):
    seen, held_out = parts
    one = evaluate_ranking(Table(scores), held_out, seen=seen)
    with pytest.raises(ValueError, match="only like can be compared"):
        one.against(evaluate_unmasked(Table(scores), held_out), "auc")
    with pytest.raises(ValueError, match="k 10, and whole catalog, seen items masked, k 5"):
        one.against(evaluate_ranking(Table(scores), held_out, seen=seen, k=5), "auc")
    fewer = Interactions([1], held_out.items_of(1)[:1], n_users=N_USERS, n_items=N_ITEMS)
    with pytest.raises(ValueError, match="the users differ"):
        one.against(evaluate_ranking(Table(scores), fewer, seen=seen), "auc")


def test_unknown_metric_is_refused(parts, scores):
    found = evaluate_ranking(Table(scores), parts[1], seen=parts[0])
    for call in (found.mean, found.interval, lambda name: found.against(found, name)):
        with pytest.raises(KeyError, match="no metric 'hr': choose among hit_rate"):
            call("hr")


def test_held_out_pairs_that_were_seen_are_refused(parts, scores):
    seen, held_out = parts
    with pytest.raises(ValueError, match=f"{len(held_out)} of {len(held_out)} held-out pairs"):
        evaluate_ranking(Table(scores), held_out, seen=seen | held_out)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda s: s[:, :-1], r"must give \(28, 40\).*got shape \(28, 39\)"),
        (lambda s: torch.cat([s, s], dim=1), r"got shape \(28, 80\)"),
        (lambda s: s[:, 0], r"got shape \(28,\)"),
        (lambda s: s.index_fill(0, torch.tensor([7]), torch.nan), "40 scores .* 1 users.*idx 7"),
        (lambda s: s.index_fill(1, torch.tensor([2]), -torch.inf), "28 scores .* 28 users"),
    ],
)
def test_bad_scores_are_refused(parts, scores, wrong, message):
    for evaluate in (
        lambda model: evaluate_ranking(model, parts[1], seen=parts[0]),
        lambda model: evaluate_unmasked(model, parts[1]),
        lambda model: evaluate_sampled(model, *one_each(parts[1])),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate(Table(wrong(scores)))


def test_nobody_to_evaluate_is_refused(scores):
    empty = torch.empty(0, 10, dtype=torch.int64)
    for call in (
        lambda: evaluate_ranking(Table(scores), NOTHING, seen=NOTHING),
        lambda: evaluate_unmasked(Table(scores), NOTHING),
        lambda: evaluate_sampled(Table(scores), NOTHING, empty),
    ):
        with pytest.raises(ValueError, match="nobody has a held-out positive"):
            call()


def test_other_users_items_or_settings_are_refused(parts, scores):
    seen, held_out = parts
    smaller = Interactions([0], [1], n_users=N_USERS, n_items=N_ITEMS - 1)
    with pytest.raises(ValueError, match="same items, got 40 and 39"):
        evaluate_ranking(Table(scores), held_out, seen=smaller)
    with pytest.raises(ValueError, match="k must be a whole number"):
        evaluate_ranking(Table(scores), held_out, seen=seen, k=0)
    with pytest.raises(ValueError, match="chunk_size must be at least 1, got 0"):
        evaluate_unmasked(Table(scores), held_out, chunk_size=0)


class Fitted(Table):
    """A model that remembers whom it was trained on."""

    n_users, n_items, user_fingerprint = N_USERS, N_ITEMS, None

    def __init__(self, scores, items):
        super().__init__(scores)
        self.item_fingerprint = items.fingerprint


def test_a_model_of_other_ids_is_refused(scores):
    users, items = Vocabulary(range(N_USERS)), Vocabulary(range(N_ITEMS))
    held_out = Interactions([0, 1], [1, 2], users=users, items=items)
    assert len(evaluate_unmasked(Fitted(scores, items), held_out).per_user) == 2
    other = Fitted(scores, Vocabulary(range(1, N_ITEMS + 1)))
    with pytest.raises(ValueError, match="was trained on other item ids"):
        evaluate_unmasked(other, held_out)
    with pytest.raises(ValueError, match="was trained on other item ids"):
        evaluate_sampled(other, held_out, torch.tensor([[1, 3], [2, 3]]))


def test_bad_candidates_are_refused(parts, scores):
    held_out, candidates = one_each(parts[1])
    cases = [
        (candidates[:-1], r"must be \(28, 1 \+ n_negatives\)"),
        (candidates[:, :1], r"got shape \(28, 1\)"),
        (candidates.flip(1), "28 rows do not start with the user's held-out positive"),
        (torch.cat([candidates, candidates[:, 1:2]], dim=1), "28 rows hold an item twice"),
        (candidates.index_fill(1, torch.tensor([3]), N_ITEMS), "must lie in 0 to 39"),
    ]
    for wrong, message in cases:
        with pytest.raises(ValueError, match=message):
            evaluate_sampled(Table(scores), held_out, wrong)
    with pytest.raises(ValueError, match="users have several held-out positives"):
        evaluate_sampled(Table(scores), parts[1], candidates)


def test_users_are_not_visited_one_by_one():
    model = Table(torch.rand(1000, 50))
    held_out = Interactions(torch.arange(1000), torch.arange(1000) % 50, n_users=1000, n_items=50)
    evaluate_unmasked(model, held_out)
    assert model.asked == [1000]
