"""Faults that the scores of a model show: the target inside, test rows in the training, ties."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.coverage import trained_rows
from nbhelpers.core.recommender import KnowsTraining, Recommender, score_blocks
from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.faults.audited_parts import AuditedParts, Ints, Part
from nbhelpers.evaluation.faults.finding import Finding
from nbhelpers.evaluation.faults.list_faults import Lists
from nbhelpers.evaluation.metrics import auc
from nbhelpers.evaluation.ranks import ranks_of_positives
from nbhelpers.evaluation.report import RankingScores

Evaluate = Callable[[Recommender], float | RankingScores]
MOST_USERS = 2_000
LEAST_USERS, LEAST_ROWS = 20, 20
MARGIN_OF_AUC, MARGIN_OF_REFIT = 0.05, 0.01
FAR = 5.0  # standard errors


class ConstantScores:
    """A model to whom all items are equal: whatever it hits, ties have hit."""

    def __init__(self, n_users: int, n_items: int) -> None:
        self.n_users, self.n_items = n_users, n_items

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Zeros, shape (batch, n_items)."""
        return torch.zeros(len(user_idx), self.n_items)


@dataclass(frozen=True)
class Indexed:
    """Rows before the test and of the test by the indices of a model.

    Attributes
    ----------
    parts : AuditedParts
    users, items : ndarray of int64
        Index of each id of the parts, -1 for unknown ones.
    n_users, n_items : int
    """

    parts: AuditedParts
    users: Ints
    items: Ints
    n_users: int
    n_items: int

    def pairs(self, *parts: Part) -> Interactions:
        """Different pairs of some parts that the model can know."""
        user = np.concatenate([self.users[part.codes["user"]] for part in parts])
        item = np.concatenate([self.items[part.codes["item"]] for part in parts])
        known = (user >= 0) & (item >= 0)
        keys = np.unique(user[known] * self.n_items + item[known])
        return Interactions(
            keys // self.n_items, keys % self.n_items, n_users=self.n_users, n_items=self.n_items
        )


def beyond_the_model(data: Indexed, *, n_users: int, n_items: int) -> Iterator[Finding]:
    """Test rows whose index a model of this size does not have."""
    part = data.parts.test
    sides = (("user", data.users, n_users), ("item", data.items, n_items))
    for side, index, size in sides:
        outside = index[part.codes[side]] >= size
        if outside.any():
            says = (
                f"{int(outside.sum()):,} of {len(part):,} test rows have a {side} index above "
                f"{size - 1:,}, the last one of the model"
            )
            count, examples = int(outside.sum()), part.examples(outside)
            yield Finding("unknown_ids", says, count=count, examples=examples)


def model_saw_test(model: Recommender, data: Indexed) -> Iterator[Finding]:
    """Users or items that occur in the test only, and that the model was trained on."""
    if not isinstance(model, KnowsTraining):
        return
    trained = trained_rows(model, n_users=data.n_users, n_items=data.n_items)
    parts = data.parts
    for side, index, known in zip(("user", "item"), (data.users, data.items), trained, strict=True):
        before = np.sum([parts.counts(part, side) for part in parts.before_test], axis=0)
        new = (before == 0) & (index >= 0) & (index < len(known))
        saw = np.flatnonzero(new)[known.numpy()[index[new]]]
        if len(saw):
            says = (
                f"the model was trained on {len(saw):,} {side}s that occur in the test and in no "
                f"row before it"
            )
            examples = tuple(f"{side}_id {value}" for value in parts.ids[side][saw[:3]])
            yield Finding("model_saw_test", says, count=len(saw), examples=examples)


def better_than_anew(
    model: Recommender, refit: Callable[[], Recommender], data: Indexed
) -> Iterator[Finding]:
    """A hint: the model ranks the test better than the same model, trained without the test.

    Parameters
    ----------
    model : Recommender
    refit : callable
        Gives the same model, trained on rows before the test alone.
    data : Indexed
    """
    test = data.pairs(data.parts.test)
    seen = data.pairs(*data.parts.before_test)[_outside(data, test)]
    users = _some_users(test)
    given, anew = (_held_out_auc(one, users, test, seen) for one in (model, refit()))
    lead = given - anew
    lead = lead[lead.isfinite()]
    if len(lead) < LEAST_USERS:
        return
    spread = float(lead.std()) / len(lead) ** 0.5
    if lead.mean() > max(MARGIN_OF_REFIT, FAR * spread):
        says = (
            f"the model ranks test items better than the same model trained anew without them "
            f"(mean AUC of {len(lead):,} users {lead.mean():.3f} higher); innocent only if it was "
            f"trained longer or with other settings"
        )
        yield Finding("model_saw_test", says, certain=False, count=len(lead))


def scores_with_target(model: Recommender, data: Indexed) -> Iterator[Finding]:
    """Scores that know the test: equal to its ratings, or test items before all others."""
    test = data.pairs(data.parts.test)
    seen = data.pairs(*data.parts.before_test)[_outside(data, test)]
    users = _some_users(test)
    first, by_chance, held_out, trained, pred, constant = [], [], [], [], [], 0
    for block, scores in score_blocks(model, torch.from_numpy(users), n_items=data.n_items):
        scores = scores.cpu().double()
        block = block.cpu()
        mask, target = seen.dense(block), test.dense(block)
        constant += int((scores.amax(dim=1) == scores.amin(dim=1)).sum())
        ranks = ranks_of_positives(scores.masked_fill(mask, -torch.inf), target)
        n_target, n_open = target.sum(dim=1), (~mask).sum(dim=1)
        first.append(ranks.amax(dim=1) == n_target)
        by_chance.append(n_target / n_open)
        held_out.append(auc(ranks, n_open))
        trained.append(_training_auc(scores, mask, target))
        pred.append(scores[target])
    if not users.size:
        return
    if constant == len(users):
        return  # nothing in such scores
    yield from _equal_to_ratings(data, users, torch.cat(pred).numpy())
    is_first = torch.cat(first).double()
    if len(users) >= LEAST_USERS and is_first.mean() > 0.95 and torch.cat(by_chance).mean() < 0.5:
        count = int(is_first.sum())
        says = (
            f"for {count:,} of {len(users):,} users all test items score above every other item "
            f"they had not seen; innocent only where the answer is as good as given"
        )
        yield Finding("scores_contain_target", says, certain=False, count=count)
        return
    both = torch.stack([torch.cat(held_out), torch.cat(trained)])
    both = both[:, both.isfinite().all(dim=0)]
    if both.shape[1] >= LEAST_USERS:
        lead = both[0] - both[1]
        spread = float(lead.std()) / lead.numel() ** 0.5
        if lead.mean() > max(MARGIN_OF_AUC, FAR * spread):
            says = (
                f"test items are ranked better than the items that the model was trained on (AUC "
                f"{both[0].mean():.3f} and {both[1].mean():.3f}); innocent only if the model puts "
                f"back what it has seen"
            )
            yield Finding("scores_contain_target", says, certain=False, count=both.shape[1])


def ties_in_metric(
    evaluate: Evaluate, data: Indexed, *, k: int, candidates: Lists | None
) -> Iterator[Finding]:
    """A metric that gives constant scores more than chance, or than any order of the items, can.

    Parameters
    ----------
    evaluate : callable
        A model's hit rate, recall, NDCG or MAP in the first ``k``, between 0 and 1.
    data : Indexed
    k : int
    candidates : Lists, optional
        What is ranked; left out, it is all that a user had not seen.

    Raises
    ------
    ValueError
        If the result lies outside 0 to 1.
    """
    result = evaluate(ConstantScores(data.n_users, data.n_items))
    value = result.mean("hit_rate") if isinstance(result, RankingScores) else float(result)
    if not 0 <= value <= 1:
        raise ValueError(f"evaluate must give a number between 0 and 1, got {value}")
    below, above, width, user = _places(data, candidates)
    if not len(user):
        return
    n_users = len(np.unique(user))
    orders = [_hit_rate(places < k, user) for places in (below, above)]
    _, which, counts = np.unique(user, return_inverse=True, return_counts=True)
    shares = np.minimum(1, k / np.bincount(which, weights=width) * counts)
    chance = float((1 - (1 - shares) ** counts).mean())
    margin = 4 * np.sqrt(chance * (1 - chance) / n_users)
    if value > max(chance + margin, *orders) + 1e-9:
        says = (
            f"scores that are all equal get {value:.3f}, but a random order gets {chance:.3f} and "
            f"the order of the items at most {max(orders):.3f}: ties are decided for the test item"
        )
        yield Finding("ties_favor_positives", says, count=n_users)


def _outside(data: Indexed, test: Interactions) -> NDArray[np.bool_]:
    """Which pairs before the test are not in it, too."""
    before = data.pairs(*data.parts.before_test)
    return ~test.contains(*before.pairs()).numpy()


def _some_users(test: Interactions) -> Ints:
    """Users with a test item, evenly spaced where there are many."""
    users = np.flatnonzero(test.user_counts > 0)
    return users[:: max(1, -(-len(users) // MOST_USERS))]


def _held_out_auc(
    model: Recommender, users: Ints, test: Interactions, seen: Interactions
) -> Tensor:
    """AUC of the test items of each user among what the user had not seen."""
    values = [torch.zeros(0, dtype=torch.float64)]
    for block, scores in score_blocks(model, torch.from_numpy(users), n_items=test.n_items):
        mask, target = seen.dense(block.cpu()), test.dense(block.cpu())
        ranks = ranks_of_positives(scores.cpu().masked_fill(mask, -torch.inf), target)
        values.append(auc(ranks, (~mask).sum(dim=1)).double())
    return torch.cat(values)


def _training_auc(scores: Tensor, mask: Tensor, target: Tensor) -> Tensor:
    """AUC of what was seen against all that is neither seen nor in the test."""
    ranks = ranks_of_positives(scores.masked_fill(target, -torch.inf), mask)
    if not ranks.shape[1]:
        return torch.full((len(scores),), torch.nan, dtype=torch.float64)
    some = mask.any(dim=1)
    values = torch.full((len(scores),), torch.nan, dtype=torch.float64)
    values[some] = auc(ranks[some], (~target).sum(dim=1)[some]).double()
    return values


def _equal_to_ratings(data: Indexed, users: Ints, pred: NDArray[np.float64]) -> Iterator[Finding]:
    """Scores of test pairs that are their ratings."""
    part = data.parts.test
    ratings = part.numbers("rating")
    if ratings is None:
        return
    user, item = data.users[part.codes["user"]], data.items[part.codes["item"]]
    known = (user >= 0) & (item >= 0) & np.isin(user, users)
    keys, at = np.unique(user[known] * data.n_items + item[known], return_index=True)
    stars = ratings[known][at].astype(np.float64)
    if len(keys) < LEAST_ROWS or len(np.unique(stars)) < 3 or len(stars) != len(pred):
        return
    equal = int((np.abs(pred - stars) < 1e-3).sum())
    related = float(np.corrcoef(pred, stars)[0, 1]) if pred.std() else 0.0
    if equal > 0.9 * len(stars) or abs(related) > 0.999:
        says = (
            f"scores of {len(stars):,} test pairs follow their ratings: {equal:,} are equal, "
            f"correlation {related:.4f}"
        )
        yield Finding("scores_contain_target", says, count=len(stars))


def _places(
    data: Indexed, candidates: Lists | None
) -> tuple[Ints, Ints, NDArray[np.float64], Ints]:
    """Candidates of lower and of higher index than each test row, how many there are, its user."""
    if candidates is not None:
        index = np.where(candidates.items >= 0, data.items[candidates.items], -1)
        keys = np.unique(np.stack([candidates.users, index]), axis=1)
        user, item = keys
        start = np.searchsorted(user, user)
        width = np.searchsorted(user, user, side="right") - start
        nth = np.arange(len(user)) - start
        part = data.parts.test
        test = part.codes["user"] * data.n_items + data.items[part.codes["item"]]
        hit = np.isin(user * data.n_items + item, test)
        return nth[hit], (width - 1 - nth)[hit], width[hit].astype(np.float64), user[hit]
    held_out, seen = data.pairs(data.parts.test), data.pairs(*data.parts.before_test)
    users, items = (indices.numpy() for indices in held_out.pairs())
    had_users, had_items = (indices.numpy() for indices in seen.pairs())
    keys = had_users * data.n_items + had_items  # ascending
    start = np.searchsorted(keys, users * data.n_items)
    seen_below = np.searchsorted(keys, users * data.n_items + items) - start
    n_seen = seen.user_counts[users]
    below = items - seen_below
    width = data.n_items - n_seen
    return below, width - 1 - below, width.astype(np.float64), users


def _hit_rate(hit: NDArray[np.bool_], user: Ints) -> float:
    """Share of users with a hit."""
    return len(np.unique(user[hit])) / len(np.unique(user))
