"""What `bench_estimates` runs in fresh processes, MODEL ROWS SEED: the cost foreseen, and the real.

The estimate sees a tenth of the rows. The real fit, evaluation and lists come first, so that the
peak of memory is theirs.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
import torch

from nbhelpers.commands.estimate_cost import estimate_cost
from nbhelpers.data.datasets.synthetic_stream import stream_pairs, stream_sizes
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.evaluate import evaluate_ranking
from nbhelpers.models.als import ALS, IALS
from nbhelpers.models.baselines import Popularity
from nbhelpers.models.item_item import EASE, ItemKNN
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.batches import PairBatches
from nbhelpers.sampling.negatives import UniformNegatives
from nbhelpers.serving.recommend import recommend
from nbhelpers.training.fit_ranking import fit_ranking
from tests.benchmarks.measure import KIB, own_peak

SAMPLED = 10  # the estimate sees one row of so many
FEW_ITEMS = 500
N_USERS, N_EPOCHS, BATCH_SIZE = 2_000, 3, 4_096


def fit_dense(rows: Interactions, n_epochs: int = N_EPOCHS, *, sparse: bool = False) -> Any:
    """Matrix factorization against four sampled negatives."""
    model = MatrixFactorization(rows.n_users, rows.n_items, 32, sparse=sparse)
    generator = torch.Generator().manual_seed(0)
    negatives = UniformNegatives(rows.n_items)
    batches = PairBatches(
        rows, negatives, batch_size=BATCH_SIZE, n_negatives=4, generator=generator
    )
    fit_ranking(model, batches, n_epochs=n_epochs, device="cpu")
    return model


def fit_sparse(rows: Interactions, n_epochs: int = N_EPOCHS) -> Any:
    """The same with sparse gradients."""
    return fit_dense(rows, n_epochs, sparse=True)


MODELS: dict[str, Callable[[], Any]] = {
    "Popularity": Popularity,
    "ItemKNN": ItemKNN,
    "EASE": EASE,
    "ALS, 3 conjugate gradients": lambda: ALS(64, n_cg_steps=3),
    "IALS": lambda: IALS(64),
    "factorization, dense": lambda: fit_dense,
    "factorization, sparse": lambda: fit_sparse,
}


def costs_of(name: str, rows: Interactions, *, seed: int) -> dict[str, list[float]]:
    """Seconds of each stage and megabytes of the fit: the estimate, and what they were."""
    model = MODELS[name]()
    trains = not hasattr(model, "fit")
    fit = model if trains else model.fit
    few = _first_users(rows, 20)
    first = fit(few)  # what comes once in a process
    few_users, few_wanted, few_seen = _held_out(few)
    evaluate_ranking(first, few_wanted, seen=few_seen)
    recommend(first, few_users, seen=few)
    before = _start_of_peak()
    seconds = {}
    seconds["fit"], fitted = _seconds(fit, rows)
    added = own_peak() - before
    users, wanted, seen = _held_out(rows)
    seconds["evaluate"], _ = _seconds(lambda: evaluate_ranking(fitted, wanted, seen=seen))
    seconds["lists"], _ = _seconds(lambda: recommend(fitted, users, seen=rows))
    cost = estimate_cost(
        model,
        rows,
        n_epochs=N_EPOCHS if trains else None,
        n_evaluated=len(users),
        n_listed=len(users),
        sample_rows=len(rows) // SAMPLED,
        seed=seed,
    )
    foreseen = cost.to_frame()["seconds"]
    return {
        **{stage: [foreseen[stage], seconds[stage]] for stage in seconds},
        "fit, MB": [cost.fit_bytes / 1e6, added],
    }


def _seconds(call: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    started = process_time()
    returned = call(*arguments)
    return process_time() - started, returned


def _start_of_peak() -> float:
    """Give free memory back, let the peak start anew, and say where it starts, in MB."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / KIB


def _first_users(rows: Interactions, n_users: int) -> Interactions:
    user_idx, item_idx = (part.numpy() for part in rows.pairs())
    few = (user_idx < n_users) & (item_idx < FEW_ITEMS)
    sides = [Vocabulary(range(size)) for size in (n_users, FEW_ITEMS)]
    return Interactions(user_idx[few], item_idx[few], users=sides[0], items=sides[1])


def _held_out(rows: Interactions) -> tuple[np.ndarray, Interactions, Interactions]:
    many = np.flatnonzero(rows.user_counts > 1)
    users = np.sort(np.random.default_rng(0).permutation(many)[:N_USERS])
    first = np.zeros(len(rows), dtype=bool)
    first[rows.indptr[users]] = True
    return users, rows[first], rows[~first]


def main(name: str, n_rows: str, seed: str) -> None:
    """Print what was foreseen and what it was."""
    torch.set_num_threads(1)
    frame = pd.concat(stream_pairs(int(n_rows), rng=int(seed)))
    sizes = stream_sizes(int(n_rows))
    rows = Interactions(
        frame["user_id"] - 1,
        frame["item_id"] - 1,
        users=Vocabulary(range(sizes.n_users)),
        items=Vocabulary(range(sizes.n_items)),
    )
    del frame
    print(json.dumps(costs_of(name, rows, seed=int(seed))))


if __name__ == "__main__":
    main(*sys.argv[1:])
