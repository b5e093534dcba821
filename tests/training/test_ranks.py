"""Processes for tests: safe beside threads of gloo, and never waited for without end."""

import os
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from tests.training.ranks import free_port, in_processes


def threads_of(number):
    return sorted(path.read_text().strip() for path in Path(f"/proc/{number}/task").glob("*/comm"))


def added_ranks():
    dist.init_process_group("gloo")
    total = torch.tensor(float(dist.get_rank() + 1))
    dist.all_reduce(total)
    dist.destroy_process_group()
    return float(total), [name for name in threads_of(os.getppid()) if "jemalloc" not in name]


def test_ranks_start_while_gloo_runs_in_this_process(tmp_path):
    where = f"tcp://127.0.0.1:{free_port()}"
    dist.init_process_group("gloo", init_method=where, rank=0, world_size=1)
    try:
        found = in_processes(2, added_ranks, tmp_path / "out")
    finally:
        dist.destroy_process_group()
    for total, threads in found:
        assert total == 3.0
        assert len(threads) == 1  # of the server, besides one of pyarrow that stands a fork


def hanging(folder):
    (folder / f"{os.environ['RANK']}.pid").write_text(str(os.getpid()))
    if os.environ["RANK"] == "1":
        time.sleep(600)


def test_ranks_that_do_not_end_are_killed_and_named(tmp_path):
    with pytest.raises(TimeoutError, match=r"ranks \[1\] of 2 ran for over 5 s: killed"):
        in_processes(2, hanging, tmp_path / "out", tmp_path, patience=5)
    numbers = [path.read_text() for path in tmp_path.glob("*.pid")]
    assert len(numbers) == 2
    assert not any(Path("/proc", number).exists() for number in numbers)


def failing():
    raise ValueError("the lamp is broken")


def test_an_error_in_a_rank_is_shown_here(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)\[1\].*in failing.*the lamp is broken"):
        in_processes(1, failing, tmp_path / "out")
