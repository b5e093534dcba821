"""Faults of a published retrieval notebook: green on our code, and red on a copy of a fault."""

import numpy as np
import pytest
import torch
from torch import nn

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.evaluate import (
    evaluate_ranking,
    evaluate_sampled,
    evaluate_unmasked,
)
from nbhelpers.evaluation.metrics import hit_rate_at_k
from nbhelpers.evaluation.ranks import rank_of_positive
from nbhelpers.models.baselines import Popularity
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.batches import PairBatches
from nbhelpers.sampling.candidates import evaluation_candidates
from nbhelpers.sampling.negatives import ExactNegatives
from nbhelpers.training.fit import seed_everything
from nbhelpers.training.losses import logistic_loss

N_USERS, N_ITEMS, K = 60, 80, 10
EVERYONE = torch.arange(N_USERS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def planted():
    """Even users like even items, odd like odd; of each user's 15, one is held out."""
    halves = torch.rand(N_USERS, N_ITEMS // 2, generator=seeded()).argsort(dim=1)[:, :15]
    liked = 2 * halves + EVERYONE.unsqueeze(1) % 2  # (n_users, 15)
    size = {"n_users": N_USERS, "n_items": N_ITEMS}
    train = Interactions(EVERYONE.repeat_interleave(14), liked[:, 1:].flatten(), **size)
    return train, Interactions(EVERYONE, liked[:, 0], **size)


TRAIN, TEST = planted()
CANDIDATES = evaluation_candidates(TEST, seen=TRAIN, n_negatives=30, generator=seeded())
COUNT = Popularity().fit(TRAIN)
SAMPLED_COUNT = evaluate_sampled(COUNT, TEST, CANDIDATES, k=5)


def batches(batch_size=64, seed=0):
    settings = {"batch_size": batch_size, "n_negatives": 4, "generator": seeded(seed)}
    return PairBatches(TRAIN, ExactNegatives(TRAIN), **settings)


# No baseline, seen films not masked


class LargeStart(MatrixFactorization):
    """The fault: random vectors so large that a short training hardly turns them."""

    def __init__(self, n_users, n_items, n_factors):
        super().__init__(n_users, n_items, n_factors)
        for vectors in (self.user_factors, self.item_factors):
            nn.init.normal_(vectors.weight, std=3)


def trained(kind):
    seed_everything(0)
    model = kind(N_USERS, N_ITEMS, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    epochs = batches()
    for _ in range(25):
        for user_idx, item_idx, negatives in epochs:
            scores = model(user_idx.repeat_interleave(4), negatives.flatten()).view(-1, 4)
            optimizer.zero_grad()
            logistic_loss(model(user_idx, item_idx), scores).backward()
            optimizer.step()
    return model


def check_beats_popularity(model):
    scores = evaluate_sampled(model, TEST, CANDIDATES, k=5)
    assert scores.against(SAMPLED_COUNT, "hit_rate").interval[0] > 0


def test_small_start_beats_popularity():
    check_beats_popularity(trained(MatrixFactorization))


def test_large_start_is_caught_by_the_baseline():
    with pytest.raises(AssertionError):
        check_beats_popularity(trained(LargeStart))


def check_nothing_seen(scores):
    assert not TRAIN.contains(EVERYONE.unsqueeze(1), scores.lists).any()


def test_lists_hold_nothing_seen():
    check_nothing_seen(evaluate_ranking(COUNT, TEST, seen=TRAIN, k=K))


def test_missing_mask_is_caught():
    with pytest.raises(AssertionError):
        check_nothing_seen(evaluate_unmasked(COUNT, TEST, k=K))


# Sampled only


def check_whole_catalog(scores):
    assert scores.protocol.startswith("whole catalog")


def test_scores_say_that_the_whole_catalog_was_ranked():
    check_whole_catalog(evaluate_ranking(COUNT, TEST, seen=TRAIN))


def test_sampled_candidates_are_caught_by_the_protocol():
    with pytest.raises(AssertionError):
        check_whole_catalog(SAMPLED_COUNT)


# Unshuffled rows


def check_users_mixed(passes):
    for one_pass in passes:
        assert all(len(user_idx.unique()) > 20 for user_idx in one_pass)


def test_batches_mix_users_in_every_pass():
    loader = batches()
    full = [[user_idx for user_idx, *_ in loader][:-1] for _ in range(2)]
    check_users_mixed(full)
    assert not torch.equal(full[0][0], full[1][0])


def test_rows_user_by_user_are_caught():
    with pytest.raises(AssertionError):
        check_users_mixed([TRAIN.pairs()[0].split(64)])


# Draws


def check_different(rows):
    assert all(len(row.unique()) == len(row) for row in rows)


def with_replacement():
    """The fault: some of the items drawn come twice."""
    free = ~(TRAIN | TEST).dense(EVERYONE)
    drawn = free.float().multinomial(30, replacement=True, generator=seeded())
    return torch.cat([TEST.pairs()[1].unsqueeze(1), drawn], dim=1)


def test_candidates_are_all_different():
    check_different(CANDIDATES)


def test_candidates_with_replacement_are_caught_and_refused():
    with pytest.raises(AssertionError):
        check_different(with_replacement())
    with pytest.raises(ValueError, match="without replacement"):
        evaluate_sampled(COUNT, TEST, with_replacement())


def check_never_drawn(sampler, pairs):
    negatives = sampler(EVERYONE, n_negatives=300, generator=seeded())
    assert not pairs.contains(EVERYONE.unsqueeze(1), negatives).any()


def test_no_training_positive_is_a_negative():
    check_never_drawn(ExactNegatives(TRAIN), TRAIN)


def test_held_out_items_can_be_kept_out_of_the_draw():
    check_never_drawn(ExactNegatives(TRAIN, seen=TEST), TEST)


def test_held_out_items_in_the_draw_are_caught():
    with pytest.raises(AssertionError):
        check_never_drawn(ExactNegatives(TRAIN), TEST)


def check_blind_to_test(sampler_for):
    other = Interactions(
        EVERYONE, CANDIDATES[:, 1], n_users=N_USERS, n_items=N_ITEMS
    )  # items that nobody has chosen
    draws = [
        sampler_for(held_out)(EVERYONE, n_negatives=99, generator=seeded())
        for held_out in (TEST, other)
    ]
    assert torch.equal(*draws)


def test_draws_for_training_do_not_depend_on_the_test():
    check_blind_to_test(lambda held_out: ExactNegatives(TRAIN))


def test_draws_that_know_the_test_are_caught():
    with pytest.raises(AssertionError):
        check_blind_to_test(lambda held_out: ExactNegatives(TRAIN, seen=held_out))


# Tables sized by the largest raw id

RAW_IDS = [3, 7, 200_001]


def check_every_row_has_an_id(n_rows):
    assert n_rows == len(RAW_IDS)


def test_tables_have_a_row_for_each_id():
    items = Vocabulary(RAW_IDS)
    check_every_row_has_an_id(len(items))
    assert items.encode(RAW_IDS).tolist() == [0, 1, 2]


def test_raw_ids_as_rows_are_caught_and_refused():
    with pytest.raises(AssertionError):
        check_every_row_has_an_id(max(RAW_IDS) + 1)
    with pytest.raises(ValueError, match="199,999 of the 200,002 indices"):
        Interactions([0, 1, 2], RAW_IDS)


# Loops over users, and ties


def top_ten_read_backwards(scores):
    """The fault: of equal scores the last one, the wanted film, comes first."""
    return float(len(scores) - 1 in np.argsort(scores.numpy(), kind="stable")[::-1][:10])


def ranked(scores):
    rank = rank_of_positive(scores.unsqueeze(0), torch.tensor([len(scores) - 1]))
    return float(hit_rate_at_k(rank, 10))


def check_equal_scores_never_hit(hit):
    assert hit(torch.zeros(100)) == 0


def test_equal_scores_never_hit():
    check_equal_scores_never_hit(ranked)


def test_ties_for_the_wanted_film_are_caught():
    with pytest.raises(AssertionError):
        check_equal_scores_never_hit(top_ten_read_backwards)


def test_all_users_at_once_hit_as_a_loop_over_users_does():
    seed_everything(0)
    model = MatrixFactorization(N_USERS, N_ITEMS, 8)
    hits = []
    for user, films in enumerate(CANDIDATES.tolist()):
        score = model(torch.tensor([user] * len(films)), torch.tensor(films)).detach().numpy()
        hits.append(films[0] in [films[place] for place in np.argsort(score)[::-1][:K]])
    scores = evaluate_sampled(model, TEST, CANDIDATES, k=K)
    assert scores.per_user["hit_rate"].tolist() == hits
    assert 0 < sum(hits) < N_USERS
