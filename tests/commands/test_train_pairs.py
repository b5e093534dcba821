"""`nbhelpers train-pairs`: the same result in one process, in two, and on two machines."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from nbhelpers.commands.cli import app
from nbhelpers.commands.train_pairs import PairRun, load_pairs_model, train_pairs
from nbhelpers.data.large_log.part_rules import LastRows
from nbhelpers.data.large_log.prepare_pairs import prepare_pairs
from nbhelpers.sampling.streaming import scan_pairs
from tests.training.ranks import free_port

ROOT = Path(__file__).parents[2]
N_USERS, N_ITEMS = 40, 60
FILES = ["history.csv", "settings.json", "weights.safetensors"]
SETTINGS = {"factors": 4, "epochs": 3, "batch_size": 100, "negatives": 2}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    keys = np.random.default_rng(0).choice(N_USERS * N_ITEMS, size=533, replace=False)
    table = pa.table({"user_idx": keys // N_ITEMS, "item_idx": keys % N_ITEMS})
    pq.write_table(table, folder / "pairs.parquet", row_group_size=50)
    return folder


@pytest.fixture(scope="module")
def alone(pairs, tmp_path_factory):
    """The folder of a run in one process."""
    out = tmp_path_factory.mktemp("alone") / "out"
    train_pairs(PairRun(str(pairs), str(out), **SETTINGS), quiet=True)
    return out


def test_tables_hold_the_items_that_no_training_row_has(tmp_path):
    log = pd.DataFrame({"user_id": [1, 1, 1, 2, 2, 2], "item_id": [1, 2, 9, 2, 1, 8]})
    log.assign(timestamp=[1, 2, 3] * 2).to_parquet(tmp_path / "log.parquet")
    prepared = prepare_pairs(tmp_path / "log.parquet", tmp_path / "all", split=LastRows(2))
    assert scan_pairs(prepared.train).item_counts.tolist() == [2, 2]  # 8 and 9 are held out
    settings = {"factors": 2, "epochs": 1, "batch_size": 4}
    train_pairs(PairRun(str(prepared.train), str(tmp_path / "out"), **settings), quiet=True)
    assert load_pairs_model(tmp_path / "out").item_factors.weight.shape == (4, 2)


def arguments(pairs, out, **settings):
    return PairRun(str(pairs), str(out), **{**SETTINGS, **settings}).arguments()


def started(*command):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *map(str, command)], env=environment, **pipes)


def done(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def largest_difference(first, second):
    a, b = (load_file(folder / "weights.safetensors") for folder in (first, second))
    assert a.keys() == b.keys()
    return max((a[name] - b[name]).abs().max().item() for name in a)


def test_a_folder_holds_weights_history_and_settings(alone):
    assert sorted(path.name for path in alone.iterdir()) == FILES
    assert [path.name for path in alone.parent.iterdir()] == ["out"]
    history = pd.read_csv(alone / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    settings = json.loads((alone / "settings.json").read_text())
    assert settings["processes"] == 1
    assert settings["run"]["users"] == N_USERS
    model = load_pairs_model(alone)
    assert (model.n_users, model.n_items, model.training) == (N_USERS, N_ITEMS, False)


def test_two_processes_of_the_command_learn_the_same(pairs, alone, tmp_path):
    out = tmp_path / "out"
    command = ["-m", "nbhelpers", "train-pairs", *arguments(pairs, out), "--processes", "2"]
    code, said, err = done(started(*command, "--json"))
    assert code == 0, err
    content = json.loads(said)  # one object, although there were two processes
    assert content["processes"] == 2
    assert len(content["train_loss"]) == 3
    assert [line.partition(":")[0] for line in err.splitlines()] == [
        f"epoch {number} of 3" for number in (1, 2, 3)
    ]
    assert largest_difference(alone, out) < 1e-6
    losses = [pd.read_csv(folder / "history.csv")["train_loss"] for folder in (alone, out)]
    assert (losses[0] - losses[1]).abs().max() < 1e-6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.slow
def test_two_machines_learn_the_same(pairs, alone, tmp_path):
    out, port = tmp_path / "out", free_port()
    command = ["-m", "torch.distributed.run", "--nnodes", 2, "--nproc-per-node", 1]
    command += ["--master-addr", "127.0.0.1", "--master-port", port]
    program = ["-m", "nbhelpers", "train-pairs", *arguments(pairs, out)]
    machines = [started(*command, "--node-rank", number, *program) for number in (1, 0)]
    found = [done(process) for process in machines]
    assert [code for code, *_ in found] == [0, 0], found
    assert largest_difference(alone, out) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_command_and_the_next_goes_on(pairs, tmp_path, rank):
    out, long = tmp_path / "out", {"epochs": 5_000}
    command = ["-m", "nbhelpers", "train-pairs", *arguments(pairs, out, **long), "--quiet"]
    process = started(*command, "--processes", 2)
    last = tmp_path / "out.run" / "checkpoints" / "last.ckpt"
    while not last.exists():
        time.sleep(0.1)
    numbers = children(process.pid)
    os.kill(numbers[rank], signal.SIGKILL)
    began = time.monotonic()
    code, said, err = done(process)
    assert time.monotonic() - began < 60  # the promise, not a measurement: it takes seconds
    assert (code, said) == (1, "")
    assert err.startswith(f"error: the process of rank {rank} was killed (SIGKILL)")
    assert err.count("\n") == 1
    assert not any(Path(f"/proc/{number}").exists() for number in numbers)
    assert not out.exists()
    n_done = 1 + latest_epoch(last)
    run = PairRun(str(pairs), str(out), **{**SETTINGS, "epochs": n_done + 1})
    resumed = train_pairs(run, quiet=True)
    straight = tmp_path / "straight"
    train_pairs(
        PairRun(str(pairs), str(straight), **{**SETTINGS, "epochs": n_done + 1}), quiet=True
    )
    assert len(resumed["train_loss"]) == n_done + 1
    assert largest_difference(straight, out) < 1e-5


def latest_epoch(path):
    import torch

    return torch.load(path, weights_only=True)["epoch"]


def children(parent):
    """Numbers of the processes that a process has started, in order of their start."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(folder.name))
    return sorted(found)


def test_a_stopped_run_is_taken_up_and_another_one_refused(pairs, alone, tmp_path):
    out, first = tmp_path / "out", tmp_path / "first"
    train_pairs(PairRun(str(pairs), str(out), **{**SETTINGS, "epochs": 2}), quiet=True)
    assert not (tmp_path / "out.run").exists()
    stopped_after_two_epochs(pairs, first)
    with pytest.raises(ValueError, match=r"first\.run holds another run: lr was 0\.005, now 0\.1"):
        train_pairs(PairRun(str(pairs), str(first), **SETTINGS, lr=0.1), quiet=True)
    train_pairs(PairRun(str(pairs), str(first), **SETTINGS), quiet=True)
    assert largest_difference(alone, first) < 1e-6


def stopped_after_two_epochs(pairs, out):
    """A run of which nothing is there but its last checkpoint."""
    from nbhelpers.commands import train_pairs as module

    whole, module._write = module._write, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            train_pairs(PairRun(str(pairs), str(out), **{**SETTINGS, "epochs": 2}), quiet=True)
    finally:
        module._write = whole


def test_what_cannot_be_trained_is_refused_in_one_line(pairs, alone, tmp_path, monkeypatch):
    runner = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    empty = tmp_path / "empty"
    empty.mkdir()
    two = ["--processes", "2"]
    refused = [
        (arguments(empty, tmp_path / "out"), "holds no file that ends in"),
        ([*arguments(empty, tmp_path / "out"), *two], "holds no file that ends in"),
        (arguments(pairs, alone), "is there already: name a new folder, or delete it"),
        ([*arguments(pairs, tmp_path / "o", batch_size=1), *two], "got 1 and 2: the batch is sh"),
        (arguments(pairs, tmp_path / "out", users=10), "user_idx must lie between 0 and 9"),
        ([*arguments(pairs, tmp_path / "out"), "--loss", "best"], "loss must be one of bpr, logis"),
        (
            [*arguments(pairs, tmp_path / "out"), "--precision", "16"],
            "precision must be one of float32",
        ),
    ]
    for said, message in refused:
        result = runner.invoke(app, ["train-pairs", *said])
        assert result.exit_code == 1
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
        assert not (tmp_path / "out").exists()
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = runner.invoke(app, ["train-pairs", *arguments(pairs, tmp_path / "out"), *two])
    assert "leave it out under torchrun" in result.stderr
    monkeypatch.setenv("RANK", "0")
    result = runner.invoke(app, ["train-pairs", *arguments(pairs, tmp_path / "out")])
    assert "LOCAL_RANK is not set: start by torchrun" in result.stderr


def test_a_folder_of_something_else_is_no_model(alone, tmp_path):
    with pytest.raises(ValueError, match="holds no settings"):
        load_pairs_model(tmp_path)
    copy = shutil.copytree(alone, tmp_path / "copy")
    assert load_pairs_model(copy).n_items == N_ITEMS


@pytest.mark.parametrize("loss", ["logistic", "softmax", "hinge", "adaptive-hinge", "warp"])
def test_every_loss_trains(pairs, tmp_path, loss):
    run = PairRun(str(pairs), str(tmp_path / "out"), **SETTINGS, loss=loss, lr=0.05)
    written = train_pairs(run, quiet=True)
    assert written["train_loss"][-1] < written["train_loss"][0]
