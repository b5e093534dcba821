"""Two processes that train one model: what a step sends, and what it costs, dense and sparse.

Both processes are on this machine and talk by gloo. Users are many and items few, so the table of
users decides. Processor seconds are those of one of the two, for all steps; the result is what it
writes to the other in a step, as the system counts it. A dense table of ten million rows is left
out: it would send 1.3 GB a step.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.training.fit_ranking import pair_loss
from nbhelpers.training.losses import bpr_loss
from nbhelpers.training.optimizers import adam
from tests.benchmarks.measure import Benchmark, Case
from tests.training.ranks import free_port, variables

SEED, N_ITEMS, N_FACTORS, N_NEGATIVES = 42, 10_000, 32, 4
COUNTER, ROOT = Path("/proc/self/io"), Path(__file__).parents[2]


@dataclass(frozen=True)
class Setting:
    """Size of the table of users, and how much is measured."""

    n_users: int
    sparse: bool
    batch_size: int = 8_192
    n_steps: int = 10

    @property
    def name(self) -> str:
        """What a reader of the table sees."""
        return f"{'sparse' if self.sparse else 'dense'}, {self.n_users:,} users"


SETTINGS = [
    *(Setting(10**power, sparse) for power in (4, 5, 6) for sparse in (False, True)),
    Setting(10**7, sparse=True),
]


def benchmark() -> Benchmark:
    """Dense against sparse, for tables of ten thousand to ten million users."""
    return of(SETTINGS)


def of(settings: list[Setting]) -> Benchmark:
    """The benchmark at any sizes."""
    cases = [Case(each.name, partial(prepared, each)) for each in settings]
    title = (
        f"Two processes, gloo: a step of {settings[0].batch_size:,} pairs with {N_NEGATIVES} "
        f"negatives each, {N_ITEMS:,} items, {N_FACTORS} factors, Adam; {settings[0].n_steps} steps"
    )
    return Benchmark(title, cases, "MB sent a step", lambda sent: sent / 1e6)


def prepared(setting: Setting) -> Callable[[], float]:
    """This process after its first step, with a second one that waits for it."""
    port = free_port()
    described = (setting.n_users, int(setting.sparse), setting.batch_size, setting.n_steps, port)
    command = [sys.executable, "-m", __name__, *map(str, described)]
    other = subprocess.Popen(command, cwd=ROOT)
    first = Rank(setting, 0, port)

    def run() -> float:
        sent = first.bytes_of_a_step()
        if other.wait():
            raise RuntimeError(f"the second process ended with exit code {other.returncode}")
        return sent

    return run


class Rank:
    """One of the two processes, which has taken one step."""

    def __init__(self, setting: Setting, rank: int, port: int) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(SEED)
        os.environ.update(variables(rank, 2, port))
        dist.init_process_group("gloo", timeout=timedelta(seconds=120))
        self.setting, self.rank = setting, rank
        table = MatrixFactorization(setting.n_users, N_ITEMS, N_FACTORS, sparse=setting.sparse)
        self.model, self.optimizer = DistributedDataParallel(table), adam(table)
        self.step(0)

    def step(self, number: int) -> None:
        """One step of training."""
        loss = pair_loss(self.model, batch(self.setting, number, self.rank), bpr_loss)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def bytes_of_a_step(self) -> float:
        """The steps that count, and what each sends; then the processes part."""
        n_steps, before = self.setting.n_steps, bytes_sent()
        for number in range(1, n_steps + 1):
            self.step(number)
        after = bytes_sent()
        dist.destroy_process_group()
        for name in variables(self.rank, 2, 0):
            os.environ.pop(name)
        return (after - before) / n_steps


def batch(setting: Setting, step: int, rank: int) -> tuple[torch.Tensor, ...]:
    """Half of the pairs of a step, others in each process."""
    generator = torch.Generator().manual_seed(2 * step + rank)
    n_pairs = setting.batch_size // 2
    sizes = {(n_pairs,): setting.n_users, (n_pairs, 1): N_ITEMS, (n_pairs, N_NEGATIVES): N_ITEMS}
    drawn = [torch.randint(high, size, generator=generator) for size, high in sizes.items()]
    return drawn[0], drawn[1].squeeze(1), drawn[2]


def bytes_sent() -> int:
    """What this process has written so far, to sockets as well; 0 where the system does not say."""
    if not COUNTER.exists():
        return 0
    (line,) = (line for line in COUNTER.read_text().splitlines() if line.startswith("wchar"))
    return int(line.split()[1])


def main(n_users: str, sparse: str, batch_size: str, n_steps: str, port: str) -> None:
    """The second process."""
    setting = Setting(int(n_users), sparse == "1", int(batch_size), int(n_steps))
    Rank(setting, 1, int(port)).bytes_of_a_step()


if __name__ == "__main__":
    main(*sys.argv[1:])
