"""The machinery of `python -m tests.benchmarks`; no speed is asserted here."""

import itertools

import pytest

from nbhelpers.data.datasets import make_ratings
from tests.benchmarks.__main__ import chosen, known, main
from tests.benchmarks.measure import Benchmark, Case, measure, table


def clock_of(*seconds):
    """A clock on which the calls take these seconds, in turn."""
    ticks = itertools.chain.from_iterable((0.0, each) for each in seconds)
    return lambda: next(ticks)


def case(name, value, tolerance=None):
    return Case(name, lambda: lambda: value, tolerance)


def toy(*cases):
    return Benchmark("Adding", cases, "sum", result=float)


def test_table_holds_median_seconds_ratio_range_and_result():
    benchmark = toy(case("ours", 3), case("theirs", 3, 1e-5))
    # round 1: 1 and 2 s, round 2: 2 and 8 s, round 3: 4 and 12 s: ratios 2, 4, 3
    measured = measure(benchmark, n_rounds=3, clock=clock_of(1, 2, 2, 8, 4, 12))
    assert table(benchmark, measured).splitlines() == [
        "Adding; median of 3 rounds",
        "",
        "| | CPU seconds | ratio | lowest to highest | sum |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| ours | 2.000 | 1.0 | 1.0 to 1.0 | 3 |",
        "| theirs | 8.000 | 3.0 | 2.0 to 4.0 | 3 |",
    ]


def test_ratios_below_one_keep_two_digits():
    benchmark = toy(case("slow", 3), case("fast", 3))
    measured = measure(benchmark, n_rounds=1, clock=clock_of(8, 0.25))
    assert "| fast | 0.250 | 0.031 | 0.031 to 0.031 | 3 |" in table(benchmark, measured)


def test_cases_take_turns():
    calls = []
    cases = [Case(name, lambda name=name: lambda: calls.append(name) or 0) for name in "ab"]
    measure(toy(*cases), n_rounds=2)
    assert calls == ["a", "b", "a", "b"]


def test_preparation_and_result_are_off_the_clock():
    events = []

    def prepare():
        events.append("prepare")
        return lambda: events.append("run") or 1

    def clock():
        events.append("clock")
        return 0.0

    def result(value):
        events.append("result")
        return value

    benchmark = Benchmark("Order", [Case("only", prepare)], "value", result)
    measure(benchmark, n_rounds=1, clock=clock)
    assert events == ["prepare", "clock", "run", "clock", "result"]


@pytest.mark.parametrize("value", [3.1, float("nan")])
def test_case_that_does_other_work_is_refused(value):
    with pytest.raises(ValueError, match="'theirs' must give the result of the first case"):
        measure(toy(case("ours", 3), case("theirs", value, 1e-5)), n_rounds=1)


def test_case_without_tolerance_may_differ():
    measured = measure(toy(case("ours", 3), case("theirs", 4)), n_rounds=1)
    assert [row.result for row in measured] == [3, 4]


def test_no_round_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        measure(toy(case("ours", 3)), n_rounds=0)


def test_each_name_has_its_file():
    assert "training" in known()


def test_all_are_chosen_without_a_name():
    assert chosen([]) == known()


def test_only_the_named_one_is_chosen():
    assert chosen(["training"]) == ["training"]


def test_unknown_name_is_an_error_that_lists_the_known(capsys):
    assert main(["trainng"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: no benchmark is called 'trainng': choose from [")
    assert "'training'" in message


def test_main_prints_the_table_of_the_chosen_benchmark(monkeypatch, capsys):
    benchmark = toy(case("ours", 3))
    monkeypatch.setattr("torch.set_num_threads", lambda n_threads: None)
    monkeypatch.setattr("tests.benchmarks.__main__.known", lambda: ["other", "toy"])
    modules = {"tests.benchmarks.bench_toy": type("Module", (), {"benchmark": lambda: benchmark})}
    monkeypatch.setattr("importlib.import_module", modules.__getitem__)
    assert main(["toy", "--rounds", "1"]) == 0
    printed = capsys.readouterr().out
    assert "Adding; 1 round\n" in printed
    assert "| ours |" in printed


@pytest.mark.filterwarnings("ignore")
def test_training_benchmark_does_the_same_work_in_every_framework(monkeypatch):
    """The equal losses are checked by ``measure``; a thousand ratings are enough for that."""
    from tests.benchmarks import bench_training

    ratings = make_ratings(n_users=60, n_items=80, n_ratings=1_000, rng=0).ratings
    monkeypatch.setattr(bench_training, "load_ratings", lambda: ratings)
    benchmark = bench_training.benchmark()
    assert [case.tolerance for case in benchmark.cases] == [None, 1e-5, 1e-5, 1e-5, None]
    assert len(measure(benchmark, n_rounds=1)) == 5
