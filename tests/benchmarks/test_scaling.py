"""The machinery of the benchmarks of scale; no speed is asserted here."""

import os
from argparse import Namespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from nbhelpers.course.scaling_table import read_scaling_table
from nbhelpers.data.datasets.synthetic_stream import stream_pairs
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from tests.benchmarks import (
    bench_billion,
    bench_estimates,
    estimate_cases,
    scaling_stages,
    virtual_rows,
)
from tests.benchmarks.__main__ import ONLY_NAMED, chosen
from tests.benchmarks.bench_scaling import foreseen, missing, report, sizes_to
from tests.benchmarks.fresh_process import Limits, StoppedError, run_fresh

TOOK = {"seconds": 2.0, "cpu_seconds": 1.0, "peak_mb": 450, "kind": "measured", "note": ""}


def options(**given):
    settings = {"largest": 1e6, "folder": None, "memory_gb": 8.0, "minutes": 1.0, "again": False}
    return Namespace(**{**settings, "trained": 1e7, **given})


class Runs:
    """Stands for the fresh processes: each stage takes what it took, ten times at ten times."""

    def __init__(self, **took):
        self.calls, self.took = [], took

    def __call__(self, module, arguments, **settings):
        stage, _, n_rows, *_ = arguments
        self.calls.append((stage, int(n_rows)))
        found = self.took.get(stage, TOOK)
        if isinstance(found, BaseException):
            raise found
        times = int(n_rows) / 1e5
        return {**found, **{name: times * found[name] for name in ("seconds", "cpu_seconds")}}


def test_each_stage_is_run_once_at_each_size_and_stored(tmp_path):
    runs, table = Runs(), tmp_path / "table.csv"
    text = report(options(folder=tmp_path), table=table, run=runs)
    stages = list(scaling_stages.STAGES)
    assert runs.calls == [
        (stage, n_rows) for n_rows in (100_000, 1_000_000) for stage in ["log", *stages]
    ]
    stored = read_scaling_table(table)
    assert len(stored) == 2 * len(stages)
    assert set(stored["n_users"]) == {2_000, 20_000}
    assert "| read | 1.00 | 10.0 | 1.00 (1.00 to 1.00) | 10,000 (10,000 to 10,000) |" in text
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"], "the work folder is gone"


def test_what_is_stored_is_not_run_again(tmp_path):
    table = tmp_path / "table.csv"
    report(options(largest=1e5), table=table, run=Runs())
    again = Runs()
    report(options(largest=1e5), table=table, run=again)
    assert again.calls == []
    report(options(largest=1e5, again=True), table=table, run=again)
    assert ("ALS sweep", 100_000) in again.calls


def test_a_run_that_was_interrupted_goes_on(tmp_path):
    table = tmp_path / "table.csv"
    with pytest.raises(KeyboardInterrupt):
        report(options(largest=1e5), table=table, run=Runs(**{"evaluate": KeyboardInterrupt()}))
    rest = Runs()
    report(options(largest=1e5), table=table, run=rest)
    assert rest.calls == [(stage, 100_000) for stage in ("log", "read", "evaluate", "lists")]


def test_a_stage_that_would_not_fit_is_refused_with_its_bytes(tmp_path):
    runs = Runs(split={**TOOK, "peak_mb": 1_350})
    text = report(options(folder=tmp_path), table=tmp_path / "table.csv", run=runs)
    assert ("split", 1_000_000) not in runs.calls  # 350 + 10 * 1000 MB
    row = read_scaling_table(tmp_path / "table.csv").query("stage == 'split'").iloc[1]
    assert (row["kind"], row["peak_mb"]) == ("refused", 10_350)
    assert row["note"] == "about 10.3 GB by the size before, 8 allowed"
    assert "*refused, 10,350*" in text


def test_a_stage_that_was_stopped_is_refused_and_one_that_fails_is_left_out(tmp_path, capsys):
    runs = Runs(split=StoppedError("stopped at 9 GB, 8 allowed"), read=RuntimeError("no disk"))
    report(options(largest=1e5), table=tmp_path / "table.csv", run=runs)
    stored = read_scaling_table(tmp_path / "table.csv").set_index("stage")
    assert stored.loc["split", "note"] == "stopped at 9 GB, 8 allowed"
    assert "read" not in stored.index
    assert "read: could not be run: no disk" in capsys.readouterr().out


def test_refused_stages_are_tried_again():
    rows = [("read", 100_000, "measured"), ("split", 100_000, "refused")]
    table = pd.DataFrame(rows, columns=["stage", "rows", "kind"])
    assert "read" not in missing(table, 100_000)
    assert "split" in missing(table, 100_000)


def test_memory_beside_the_interpreter_goes_with_the_rows():
    table = pd.DataFrame([{**TOOK, "stage": "read", "rows": 100_000}])
    expected = {"seconds": 20.0, "cpu_seconds": 10.0, "peak_mb": 350 + 10 * 100}
    assert foreseen(table, "read", 1_000_000) == expected
    assert np.isnan(foreseen(table, "split", 1_000_000)["peak_mb"])


def test_sizes_are_powers_of_ten():
    assert sizes_to(1e7) == [10**5, 10**6, 10**7]
    assert sizes_to(5e5) == [10**5]
    with pytest.raises(ValueError, match="at least 100,000, got 1000"):
        sizes_to(1_000)


def test_the_billion_is_run_by_name_alone():
    assert ONLY_NAMED == ("billion",)
    assert "billion" not in chosen([])
    assert chosen(["billion"]) == ["billion"]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A log of 5,000 rows, read."""
    folder = tmp_path_factory.mktemp("log")
    scaling_stages.write_log(folder, 5_000)
    scaling_stages.measured(scaling_stages.read(folder, 5_000))
    return folder


@pytest.mark.parametrize("stage", list(scaling_stages.STAGES))
def test_each_stage_runs_on_a_small_log(log, stage):
    found = scaling_stages.measured(scaling_stages.STAGES[stage](log, 5_000))
    assert found["kind"] == "measured"
    assert found["peak_mb"] > 50


def test_reading_numbers_the_ids_of_every_row(log):
    raw = pd.concat(stream_pairs(5_000, rng=scaling_stages.SEED))
    pairs = pq.read_table(scaling_stages.pairs_of(log, 5_000)).to_pandas()
    assert len(pairs) == 5_000
    assert pairs["user_idx"].tolist() == (raw["user_id"] - 1).tolist()
    codes, items = pd.factorize(raw["item_id"], sort=True)
    assert pairs["item_idx"].tolist() == codes.tolist()
    assert scaling_stages.in_memory(log, 5_000).n_items == len(items)


def test_a_part_of_an_epoch_is_multiplied_and_said(log, monkeypatch):
    monkeypatch.setattr(scaling_stages, "EPOCH_ROWS", 1_000)
    monkeypatch.setattr(scaling_stages, "BATCH_SIZE", 500)
    timed = scaling_stages.epoch(log, 5_000, sparse=True)
    assert (timed.times, timed.note) == (5.0, "the first 1,000 rows of the epoch")
    monkeypatch.setattr(scaling_stages, "N_JUDGED", 10)
    timed = scaling_stages.lists(log, 5_000)
    assert (timed.times, timed.note) == (10.0, "10 users")  # of 100


def test_seconds_of_a_part_are_carried(monkeypatch):
    wall, cpu = iter([0.0, 2.0]), iter([0.0, 1.0])
    monkeypatch.setattr(scaling_stages, "perf_counter", lambda: next(wall))
    monkeypatch.setattr(scaling_stages, "process_time", lambda: next(cpu))
    found = scaling_stages.measured(scaling_stages.Timed(lambda: None, 10.0, "a tenth"))
    assert (found["seconds"], found["cpu_seconds"]) == (20.0, 10.0)
    assert (found["kind"], found["note"]) == ("part carried", "a tenth")


@pytest.fixture
def shards(tmp_path):
    """Twice a thousand rows, under ten names each."""
    monkeypatch = pytest.MonkeyPatch()
    frames = list(stream_pairs(2_000, rows_per_frame=1_000, rng=0))
    monkeypatch.setattr(virtual_rows, "stream_pairs", lambda n_rows, rng: iter(frames))
    virtual_rows.write_shards(tmp_path, 20_000)
    monkeypatch.undo()
    return tmp_path


def test_ten_names_of_a_shard_take_no_further_room(shards):
    linked = bench_billion.link_copies(shards)
    assert len(linked) == 18
    inodes = {path.stat().st_ino for path in shards.glob("*.parquet")}
    assert len(inodes) == 2
    assert os.stat(linked[0]).st_nlink == 10


def test_every_row_comes_ten_times(shards):
    bench_billion.link_copies(shards)
    timed = virtual_rows.streamed_pass(shards, 20_000, 1)
    timed.call()
    assert timed.note == "20,000 rows came, 10 times 2,000"
    n_rows, sums = virtual_rows.counted(virtual_rows.batches_of(shards, 20_000))
    pairs = pd.concat(pd.read_parquet(path) for path in shards.glob("shard-*"))
    assert (n_rows, sums) == (20_000, [10 * int(pairs[name].sum()) for name in pairs])


def test_rows_that_are_missing_are_an_error(shards):
    with pytest.raises(ValueError, match="must hold 20,000 rows, got 2,000"):
        virtual_rows.batches_of(shards, 20_000)
    linked = bench_billion.link_copies(shards)
    other = pd.read_parquet(shards / "shard-0001.parquet").assign(item_idx=0)
    linked[0].unlink()
    other.to_parquet(linked[0])
    with pytest.raises(ValueError, match="rows that add up to"):
        virtual_rows.streamed_pass(shards, 20_000, 1).call()


def test_training_takes_a_part_of_the_virtual_rows(shards, monkeypatch):
    monkeypatch.setattr(virtual_rows, "BATCH_SIZE", 500)
    monkeypatch.setattr(scaling_stages, "BATCH_SIZE", 500)
    bench_billion.link_copies(shards)
    timed = virtual_rows.streamed_training(shards, 20_000, 4_000)
    assert timed.times == 5.0
    timed.call()


def test_a_trial_of_the_billion_is_told_and_not_stored(tmp_path):
    runs, table = Runs(), tmp_path / "table.csv"
    text = bench_billion.report(options(largest=1e6), table=table, run=runs)
    assert "One epoch of 1,000,000 rows, 100,000 of them different" in text
    assert [stage for stage, _ in runs.calls] == ["shards", *bench_billion.STAGES]
    assert not table.exists()
    bench_billion.report(options(largest=None), table=table, run=runs)
    assert read_scaling_table(table)["rows"].tolist() == [10**9] * 2
    with pytest.raises(ValueError, match="must divide by 10"):
        bench_billion.report(options(largest=15), table=table, run=runs)


def test_a_fresh_process_says_what_it_printed_last():
    found = run_fresh("tests.benchmarks.echo", ['{"a": 1}'], limits=Limits(), look_every=0.01)
    assert found == {"a": 1}


def test_a_process_that_takes_too_much_is_killed():
    with pytest.raises(StoppedError, match=r"stopped at .* GB, 1e-09 allowed"):
        run_fresh("tests.benchmarks.echo", ["sleep"], limits=Limits(1e-9), look_every=0.01)
    soon = Limits(minutes=1e-9)
    with pytest.raises(StoppedError, match="stopped after 0 minutes"):
        run_fresh("tests.benchmarks.echo", ["sleep"], limits=soon, look_every=0.01)


def test_a_process_that_fails_says_why():
    with pytest.raises(RuntimeError, match="this is no JSON"):
        run_fresh("tests.benchmarks.echo", ["this is no JSON"], limits=Limits(), look_every=0.01)


def test_estimates_are_shown_as_ratios_of_each_seed():
    found = {name: [3.0, 2.0] for name in ("fit", "evaluate", "lists", "fit, MB")}
    text = bench_estimates.report(options(largest=None), run=lambda *_, **__: found)
    assert "Estimates from 10,000 of 100,000 rows" in text
    assert "| EASE | 1.50, 1.50 (of 2) | 1.50, 1.50 (of 2) |" in text


@pytest.mark.parametrize("name", ["EASE", "factorization, sparse"])
def test_an_estimate_and_the_real_cost_are_of_the_same_stages(name):
    (frame,) = stream_pairs(4_000, n_users=100, n_items=600, rng=0)
    sides = {"users": Vocabulary(range(100)), "items": Vocabulary(range(600))}
    rows = Interactions(frame["user_id"] - 1, frame["item_id"] - 1, **sides)
    found = estimate_cases.costs_of(name, rows, seed=0)
    assert list(found) == list(bench_estimates.COLUMNS)
    assert all(len(pair) == 2 and np.isfinite(pair).all() for pair in found.values())
