"""HR@10 of every user, one held-out film among 99 others: all users at once against a loop.

The loops are written as public notebooks write them: one call of the model and one sorted list for
each user. The last one also draws the candidates, from a set of all films less the user's own that
it builds anew for each user. Drawn off the clock with the same seed they are what the other cases
rank, so hit rates must be equal; only the case that draws its own on the clock gets others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from nbhelpers.data.datasets.load import load_items, load_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.splits import leave_last_out
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.evaluate import evaluate_sampled
from nbhelpers.evaluation.metrics import hit_rate_at_k
from nbhelpers.evaluation.ranks import rank_of_positive
from nbhelpers.models.dot_product import DotProduct
from nbhelpers.sampling.candidates import evaluation_candidates
from nbhelpers.training.fit import seed_everything
from tests.benchmarks.measure import Benchmark, Case

SEED, K, N_NEGATIVES = 42, 10, 99
EQUAL = 1e-12
Run = Callable[[], float]


@dataclass(frozen=True)
class Setting:
    """What every case is given."""

    model: DotProduct
    held_out: Interactions
    seen: Interactions
    candidates: Tensor


def benchmark() -> Benchmark:
    """Leave-last-out of the default data set."""
    setting = prepared()
    cases = [
        Case("hit_rate_at_k of all ranks", lambda: partial(ranked, setting)),
        Case("evaluate_sampled: every metric, lists, table", lambda: partial(ours, setting), EQUAL),
        Case("the same with candidates drawn", lambda: partial(ours_drawn, setting), 0.05),
        Case("loop over users, candidates given", lambda: prepared_loop(setting), EQUAL),
        Case("loop that builds a set for each user", lambda: prepared_sets(setting), EQUAL),
    ]
    title = (
        f"Evaluation: HR@{K} of {len(setting.held_out):,} users, 1 + {N_NEGATIVES} candidates "
        f"each, DotProduct"
    )
    return Benchmark(title, cases, f"HR@{K}", float)


def prepared() -> Setting:
    """A model whose first factor is the popularity of films, so that it hits now and then."""
    train, test = leave_last_out(load_ratings(), rng=0)
    users, items = Vocabulary(train["user_id"]), Vocabulary(load_items()["item_id"])
    seen, held_out = (
        Interactions.from_frame(part, users=users, items=items) for part in (train, test)
    )
    seed_everything(SEED)
    model = DotProduct(len(users), len(items)).eval()
    popularity = torch.tensor(np.log1p(seen.item_counts), dtype=torch.float32)
    with torch.no_grad():
        model.user_factors.weight[:, 0] = 1
        model.item_factors.weight[: len(items), 0] = popularity
    candidates = torch.tensor(list(drawn_from_sets(*as_lists(seen, held_out), len(items))))
    return Setting(model, held_out, seen, candidates)


@torch.no_grad()
def ranked(setting: Setting) -> float:
    """Scores of all users, gathered at the candidates, ranked."""
    scores = setting.model.score_users(setting.held_out.pairs()[0])
    ranks = rank_of_positive(scores.gather(1, setting.candidates), torch.zeros(len(scores)).long())
    return float(hit_rate_at_k(ranks, K).mean())


def ours(setting: Setting) -> float:
    """Far more than the hit rate, which is taken from it."""
    scores = evaluate_sampled(setting.model, setting.held_out, setting.candidates, k=K)
    return scores.mean("hit_rate")


def ours_drawn(setting: Setting) -> float:
    """The same with the drawing of candidates."""
    generator = torch.Generator().manual_seed(SEED)
    candidates = evaluation_candidates(
        setting.held_out, seen=setting.seen, n_negatives=N_NEGATIVES, generator=generator
    )
    return evaluate_sampled(setting.model, setting.held_out, candidates, k=K).mean("hit_rate")


def prepared_loop(setting: Setting) -> Run:
    """The loop over lists of plain numbers."""
    users = setting.held_out.pairs()[0].tolist()
    return partial(looped, setting.model, users, setting.candidates.tolist())


def prepared_sets(setting: Setting) -> Run:
    """The loop that starts from what each user has chosen."""
    chosen, wanted = as_lists(setting.seen, setting.held_out)
    n_items = setting.seen.n_items

    def run() -> float:
        return looped(setting.model, list(wanted), drawn_from_sets(chosen, wanted, n_items))

    return run


def looped(model: DotProduct, users: Iterable[int], candidates: Iterable[list[int]]) -> float:
    """One call of the model and one sorted list for each user, gradients on as usual there."""
    hits = []
    for user, items in zip(users, candidates, strict=True):
        scores = model(torch.tensor([user] * len(items)), torch.tensor(items)).detach().numpy()
        best = [items[position] for position in np.argsort(scores)[::-1][:K].tolist()]
        hits.append(items[0] in best)
    return float(np.mean(hits))


def drawn_from_sets(
    chosen: dict[int, list[int]], wanted: dict[int, int], n_items: int
) -> Iterator[list[int]]:
    """For each user the held-out film, then others from what a fresh set leaves over."""
    rng, everything = np.random.default_rng(SEED), np.arange(n_items)
    for user, item in wanted.items():
        left = list(set(everything) - set(chosen[user]) - {item})
        yield [item, *rng.choice(left, N_NEGATIVES, replace=False).tolist()]


def as_lists(
    seen: Interactions, held_out: Interactions
) -> tuple[dict[int, list[int]], dict[int, int]]:
    """Chosen films of each user and the held-out one, as plain numbers."""
    wanted = dict(zip(*(column.tolist() for column in held_out.pairs()), strict=True))
    return {user: seen.items_of(user).tolist() for user in wanted}, wanted
