"""The machinery of `python -m tests.benchmarks`; no speed is asserted here."""

import functools
import importlib
import itertools
import socket
import threading

import pytest
import torch

from nbhelpers.data.datasets.synthetic import make_ratings
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


def test_all_but_the_longest_are_chosen_without_a_name():
    assert set(known()) - set(chosen([])) == {"billion"}


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


@pytest.fixture
def collie(monkeypatch):
    """The recipe on a hundred made-up users: the module, known and held-out positives."""
    from tests.benchmarks import bench_collie

    ratings = make_ratings(n_users=100, n_items=120, n_ratings=4_000, rng=0).ratings
    monkeypatch.setattr(bench_collie, "load_ratings", lambda: ratings)
    return bench_collie, *bench_collie.positives()


def test_collie_loop_and_ours_find_the_same_map_mrr_and_auc(collie):
    from tests.benchmarks import bench_collie_evaluation as evaluation

    _, wanted, seen = collie  # the larger part: some users have more than ten positives to find
    assert wanted.user_counts.max() > 10
    model = evaluation.planted_model(wanted).double()  # no two scores are equal
    ours = evaluation.ours(model, wanted)
    assert evaluation.looped(model, wanted) == pytest.approx(ours, abs=1e-12)
    by_torch = evaluation.looped(model, wanted, auc=evaluation.torchmetrics_auc)
    assert by_torch == pytest.approx(ours, abs=1e-6)
    masked = evaluation.masked(model, wanted, seen)
    assert evaluation.looped(model, wanted, seen=seen) == pytest.approx(masked, abs=1e-12)
    assert masked != pytest.approx(ours, abs=0.001)


def test_each_way_to_split_holds_as_many_rows_of_each_user_out(collie):
    from tests.benchmarks import bench_collie_split as split

    liked = collie[0].liked_rows()
    ways = (split.ours, split.users_split, split.frames_split, split.users_permuted)
    parts = [way(liked) for way in ways]
    counts = [held_out["user_id"].value_counts().to_dict() for _, held_out in parts]
    assert counts[1:] == counts[:1] * 3
    for train, held_out in parts:
        assert sorted([*train.index, *held_out.index]) == sorted(liked.index)


def test_collie_loop_and_ours_end_with_the_same_weights_on_the_same_batches(collie):
    bench, known, _ = collie
    batches = list(
        bench.PairBatches(
            known,
            bench.ExactNegatives(known),
            batch_size=64,
            n_negatives=bench.N_NEGATIVES,
            generator=torch.Generator().manual_seed(0),
        )
    )
    plain = bench.PlainModel(known.n_users, known.n_items)
    for factors in (plain.user_factors, plain.item_factors):
        torch.nn.init.normal_(factors.weight)  # wide enough for pairs beyond the margin
    ours = bench.MatrixFactorization(known.n_users, known.n_items, bench.N_FACTORS)
    ours.load_state_dict(plain.state_dict(), strict=False)  # without a bias of users
    optimizers = bench.optimizers_of(plain)
    for _ in range(2):
        for batch in batches:
            bench.one_pass(plain, optimizers, batch)
    bench.fit_ranking(
        ours,
        batches,
        loss=bench.adaptive_hinge_loss,
        n_epochs=2,
        make_optimizer=functools.partial(
            bench.factors_and_biases, lr=bench.LR, bias_lr=bench.BIAS_LR
        ),
        device="cpu",
    )
    for name, weight in ours.named_parameters():
        torch.testing.assert_close(weight, plain.get_parameter(name), rtol=0, atol=1e-5)


def test_rows_one_by_one_bring_every_pair_once_and_no_known_negative(collie):
    bench, known, held_out = collie
    loader = bench.DataLoader(bench.Rows(held_out, avoid=known), batch_size=32, shuffle=True)
    users, items, negatives = (torch.cat(column) for column in zip(*loader, strict=True))
    assert negatives.shape == (len(held_out), bench.N_NEGATIVES)
    met = torch.stack([users, items]).T.tolist()
    assert sorted(met) == torch.stack(held_out.pairs()).T.tolist()
    for pairs in (known, held_out):
        assert not pairs.contains(users.unsqueeze(1), negatives).any()


@pytest.mark.parametrize("name", ["collie", "collie_split", "collie_evaluation"])
def test_collie_benchmarks_do_the_same_work_in_every_case(collie, monkeypatch, name):
    monkeypatch.setattr(collie[0], "N_EPOCHS", 1)
    monkeypatch.setattr("gc.collect", lambda: 0)  # a second each, after so many imports
    module = importlib.import_module(f"tests.benchmarks.bench_{name}")
    benchmark = module.benchmark()
    assert len(measure(benchmark, n_rounds=1)) == len(benchmark.cases)


def test_als_benchmark_does_the_same_work_as_the_library(monkeypatch):
    from tests.benchmarks import bench_als

    ratings = make_ratings(n_users=60, n_items=80, n_ratings=1_000, rng=0).ratings
    monkeypatch.setattr(bench_als, "load_ratings", lambda: ratings)
    monkeypatch.setattr(bench_als, "N_FACTORS", 4)
    monkeypatch.setattr(bench_als, "N_SWEEPS", 20)
    assert len(measure(bench_als.benchmark(), n_rounds=1)) == 6


def test_reading_benchmark_reads_the_same_rows_in_every_case(tmp_path):
    from tests.benchmarks import bench_reading

    setting = bench_reading.Setting(tmp_path / "ratings.csv", n_rows=2_000)
    benchmark = bench_reading.of(setting, lambda name, path: (1.5, 200.0))
    assert "1.5 s and 200 MB read_ratings" in benchmark.title
    assert [row.result for row in measure(benchmark, n_rounds=1)] == [0.002] * 3


def test_app_benchmark_meets_every_list_and_counts_what_is_none():
    from tests.app.service_cases import make_service
    from tests.benchmarks import bench_app

    web_app = pytest.importorskip("nbhelpers.app.server").web_app
    uvicorn = pytest.importorskip("uvicorn")
    service = make_service()
    door = socket.socket()
    door.bind((bench_app.HOST, 0))
    port = door.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(web_app(service), log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    bench_app.wait_for(port, lambda: None)
    people = bench_app.likes_of(service, 4)
    load = bench_app.load_of(port, people)
    assert (load.n_people, load.n_errors, len(load.seconds)) == (4, 0, 40)
    wrong = bench_app.load_of(port, [[[0], [999], [1]]])  # there is no item 999
    assert (wrong.n_errors, len(wrong.seconds)) == (1, 3)
    server.should_exit = True
    thread.join()
    benchmark = bench_app.of(service, [load, wrong])
    assert "4 people at once: 0 errors, p50" in benchmark.title
    assert "1 person alone: 1 errors" in benchmark.title
    assert [row.result for row in measure(benchmark, n_rounds=1)] == [100, 100]


def test_a_server_that_ended_is_not_waited_for():
    from tests.benchmarks import bench_app

    with socket.socket() as door:
        door.bind((bench_app.HOST, 0))  # bound, and nobody listens
        with pytest.raises(RuntimeError, match="ended with exit code 3"):
            bench_app.wait_for(door.getsockname()[1], lambda: 3)


def test_first_list_benchmark_reads_every_foreign_format_as_it_was_written():
    import tempfile
    from dataclasses import replace

    from tests.benchmarks import bench_first_list

    logs = [replace(log, size=(60, 40, 600)) for log in bench_first_list.FOREIGN]
    folder = tempfile.TemporaryDirectory()
    benchmark = bench_first_list.of(logs, folder, lambda path, log: f"{path.name} trained")
    assert "Book-Crossing, ; and Latin-1 (600 rows): BX-Book-Ratings.csv trained" in benchmark.title
    assert [row.result for row in measure(benchmark, n_rounds=1)] == [600] * 5


@pytest.mark.slow
def test_distributed_benchmark_counts_the_bytes_of_dense_and_sparse_tables():
    from tests.benchmarks import bench_distributed as bench

    n_users, settings = 20_000, {"batch_size": 64, "n_steps": 3}
    benchmark = bench.of([bench.Setting(n_users, sparse, **settings) for sparse in (False, True)])
    dense, sparse = (row.result for row in measure(benchmark, n_rounds=1))
    if bench.COUNTER.exists():
        n_numbers = 32 * (n_users + bench.N_ITEMS) + bench.N_ITEMS
        assert benchmark.result(1e6) == 1.0
        assert dense == pytest.approx(4 * n_numbers / 1e6, rel=0.05)
        assert sparse == pytest.approx(192 * (32 * 4 + 8) / 1e6, rel=0.2)  # 32 users, 160 items


def test_sharing_benchmark_reads_every_row_or_half(tmp_path):
    from tests.benchmarks import bench_sharing as bench

    sizes = {"n_users": 20_000, "n_items": 2_000, "n_pairs": 20_000}
    benchmark = bench.of(bench.Setting(tmp_path / "pairs.parquet", **sizes))
    with pytest.raises(ValueError, match="got 1 for 2: write the pairs with smaller"):
        measure(benchmark, n_rounds=1)  # 20,000 rows are one row group; 140,000 are three
    benchmark = bench.of(bench.Setting(tmp_path / "pairs.parquet", **sizes | {"n_pairs": 140_000}))
    assert [row.result for row in measure(benchmark, n_rounds=1)] == [140_000, 70_000, 74_464]


def test_serving_tables_of_a_small_catalog(monkeypatch):
    from tests.benchmarks import bench_serving

    monkeypatch.setattr(bench_serving, "PROBES", (1, 9))
    setting = bench_serving.Setting(400, n_users=60, n_draws=3_000, n_groups=4, n_factors=8)
    catalog = bench_serving.learned(setting._replace(unobserved=40.0))
    single, batched, listed, gaussian = bench_serving.of(catalog, cores=[1])
    assert "lists an hour and cores: exact " in listed.title
    for benchmark in (single, batched, listed, gaussian):
        names = [case.name.split(":")[0] for case in benchmark.cases]
        assert names[:4] == ["exact", "float16", "int8", "int8, 40 rescored"]
        recall = {row.name.split(":")[0]: row.result for row in measure(benchmark, n_rounds=1)}
        if benchmark is listed:
            assert set(recall.values()) == {60 * 10}
        else:
            assert recall["exact"] == 1
            assert 0.9 < recall["int8"] <= recall["int8, 40 rescored"]
            assert recall["1 of 10 lists"] < recall["9 of 10 lists"]


def test_file_to_model_goes_through_all_stages_and_tells_each_peak(tmp_path):
    from tests.benchmarks import bench_file_to_model as bench

    setting = bench.Setting(2_000, tmp_path, n_users=100, n_items=300)
    bench.write_log(setting)
    assert tuple(bench.stages(setting)) == bench.STAGES
    benchmark = bench.of((30_000,), lambda setting: dict.fromkeys(bench.STAGES, 7.0))
    assert "30,000 rows: imports 7, prepare 7, train 7, evaluate 7, lists 7" in benchmark.title
