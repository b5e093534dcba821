"""Many processes, one model: equal to the plain loop, whatever the number of processes."""

import os
import signal
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.ncf import MLP
from nbhelpers.sampling.batches import InBatch
from nbhelpers.sampling.negatives import UniformNegatives
from nbhelpers.sampling.streaming import StreamedPairs
from nbhelpers.training import losses
from nbhelpers.training.distributed import fit_distributed
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.optimizers import one_cycle
from nbhelpers.training.partial_credit import partial_credit
from nbhelpers.training.processes import LostProcessError, this_process
from tests.training.ranks import in_processes, variables

N_PAIRS, N_USERS, N_ITEMS = 103, 12, 30  # 103 is 6 batches of 17, and a last one of 1
GENRE = torch.arange(N_ITEMS) % 4
VALUES = torch.tensor([0.5, 0.25, 1.0, 0.0, 0.75])  # of five users


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Pairs without and with weights."""
    folder, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    keys = rng.choice(N_USERS * N_ITEMS, size=N_PAIRS, replace=False)
    columns = {"user_idx": keys // N_ITEMS, "item_idx": keys % N_ITEMS}
    weights = rng.integers(1, 6, N_PAIRS).astype(float)
    paths = {False: folder / "plain.parquet", True: folder / "weighted.parquet"}
    pq.write_table(pa.table(columns), paths[False], row_group_size=10)
    pq.write_table(pa.table({**columns, "weight": weights}), paths[True], row_group_size=10)
    return paths


def batches_of(path, seed=1):
    return StreamedPairs(
        path,
        UniformNegatives(N_ITEMS),
        batch_size=17,
        n_negatives=3,
        generator=torch.Generator().manual_seed(seed),
        buffer_rows=40,
    )


def model_of(kind="dense", seed=0):
    torch.manual_seed(seed)
    if kind == "network":
        return MLP(N_USERS, N_ITEMS, 8)
    return MatrixFactorization(N_USERS, N_ITEMS, 8, sparse=kind == "sparse")


def flat(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def trained(folder, path, kind="dense", **settings):
    """Parameters and history of a run, as each of its processes has them."""
    model = model_of(kind)
    history = fit_distributed(model, batches_of(path), folder=folder, device="cpu", **settings)
    return flat(model), history


def plainly(path, kind="dense", **settings):
    model = model_of(kind)
    history = fit_ranking(model, batches_of(path), device="cpu", **settings)
    return flat(model), history


def plain_descent(model, lr):
    return torch.optim.SGD(model.parameters(), lr=lr)


CASES = {
    "sparse, bpr": {"kind": "sparse", "loss": losses.bpr_loss},
    "dense, logistic, weights": {"weighted": True, "loss": losses.logistic_loss},
    "network, logistic, schedule": {
        "kind": "network",
        "loss": losses.logistic_loss,
        "schedule": one_cycle,
    },
    "network, hinge, plain descent": {  # Adam makes long steps of gradients that cancel to rounding
        "kind": "network",
        "loss": losses.hinge_loss,
        "make_optimizer": partial(plain_descent, lr=0.5),
    },
    "partial credit, softmax, weights": {
        "weighted": True,
        "loss": partial_credit(losses.softmax_loss, {"genre": GENRE}, {"genre": 0.5}),
    },
}


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("name", CASES)
def test_any_number_of_processes_learns_what_the_plain_loop_learns(files, tmp_path, name, world):
    settings = dict(CASES[name])
    path = files[settings.pop("weighted", False)]
    settings |= {"n_epochs": 4, "lr": 0.02}
    expected, plain = plainly(path, **settings)
    run = tmp_path / "run"
    for found, history in in_processes(world, trained, tmp_path / "out", run, path, **settings):
        assert (found - expected).abs().max() < 1e-6
        assert history.train_loss == pytest.approx(plain.train_loss, abs=1e-6)
        assert history.learning_rates[-1] == pytest.approx(plain.learning_rates[-1])
    assert (expected - flat(model_of(settings.get("kind", "dense")))).abs().max() > 0.01


@pytest.mark.parametrize("weighted", [False, True])
def test_row_groups_train_all_processes_alike(files, tmp_path, weighted):
    settings = {"n_epochs": 3, "lr": 0.02, "shard_by": "row_groups"}
    first, second = in_processes(
        2, trained, tmp_path / "out", tmp_path / "run", files[weighted], **settings
    )
    assert torch.equal(first[0], second[0])
    assert first[1].train_loss == second[1].train_loss
    assert first[1].train_loss[-1] < first[1].train_loss[0] - 0.01


def gradients_of_a_step(folder, path, shard_by):
    """One step of plain gradient descent, so that parameters tell the gradient."""
    model = model_of()
    before = flat(model)
    batches = batches_of(path)
    batches.batch_size = N_PAIRS
    batches.sampler = lambda user_idx, **_: (user_idx.unsqueeze(1) + torch.arange(3)) % N_ITEMS
    fit_distributed(
        model,
        batches,
        folder=folder,
        n_epochs=1,
        shard_by=shard_by,
        make_optimizer=partial(plain_descent, lr=1.0),
        device="cpu",
    )
    return before - flat(model)


@pytest.mark.parametrize("weighted", [False, True])
def test_parts_of_unequal_size_give_the_gradient_of_all_rows(files, tmp_path, weighted):
    (expected,) = in_processes(
        1, gradients_of_a_step, tmp_path / "1", tmp_path / "a", files[weighted], "rows"
    )
    found = in_processes(  # of 53 and of 50 rows, and of other weights
        2, gradients_of_a_step, tmp_path / "2", tmp_path / "b", files[weighted], "row_groups"
    )
    for gradient in found:
        assert (gradient - expected).abs().max() < 1e-7
    assert expected.abs().max() > 1e-3


def measured(folder, path):
    seen = []

    def validate(model):
        seen.append(os.environ.get("RANK"))
        return {"norm": float(flat(model).norm())}

    def validate_users(model, part):
        return {"value": VALUES[part], "number": torch.arange(5)[part]}

    settings = {"n_epochs": 2, "validate": validate, "validate_users": validate_users}
    _, history = trained(folder, path, **settings)
    return history.metrics, seen


def test_metrics_are_those_of_one_process_and_validate_is_called_by_the_first(files, tmp_path):
    ((alone, _),) = in_processes(1, measured, tmp_path / "1", tmp_path / "a", files[False])
    found = in_processes(2, measured, tmp_path / "2", tmp_path / "b", files[False])
    assert alone["value"] == [0.5, 0.5]
    assert alone["number"] == [2.0, 2.0]
    for metrics, _ in found:
        assert metrics["norm"] == pytest.approx(alone["norm"], abs=1e-6)
        assert metrics["value"] == alone["value"]
        assert metrics["number"] == alone["number"]
    assert [seen for _, seen in found] == [["0", "0"], []]


class StopError(Exception):
    """In place of a power cut."""


def stopped_then_resumed(folder, path, stop_after, save_every):
    """Parameters after a run that breaks off in its third epoch and goes on; what it repeated."""
    calls = []

    def breaking_loss(positive, negative):
        calls.append(1)
        if len(calls) > stop_after:
            raise StopError
        return losses.bpr_loss(positive, negative)

    settings = {"n_epochs": 4, "save_every": save_every, "lr": 0.02}
    with pytest.raises(StopError):
        trained(folder, path, loss=breaking_loss, **settings)
    return None


def resumed(folder, path):
    seen = []

    def counting_loss(positive, negative):
        seen.append(1)
        return losses.bpr_loss(positive, negative)

    found = trained(folder, path, n_epochs=4, lr=0.02, loss=counting_loss)
    return *found, len(seen)


@pytest.mark.parametrize(
    ("stop_after", "save_every", "steps_left", "world"),
    [(7 * 2, None, 14, 2), (7 * 2 + 5, 4, 12, 2), (7 * 2 + 5, 4, 12, 3), (7 * 2 + 5, 4, 12, 1)],
    ids=["after an epoch", "within an epoch", "with another process", "with one process"],
)
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(
    files, tmp_path, stop_after, save_every, steps_left, world
):
    run, path = tmp_path / "run", files[False]
    in_processes(2, stopped_then_resumed, tmp_path / "1", run, path, stop_after, save_every)
    straight, whole = plainly(path, n_epochs=4, lr=0.02, loss=losses.bpr_loss)
    found = in_processes(world, resumed, tmp_path / "2", run, path)
    assert len(found) == world
    for weights, history, n_steps in found:
        assert (weights - straight).abs().max() < 1e-6
        assert history.train_loss == pytest.approx(whole.train_loss, abs=1e-6)
        assert n_steps == steps_left


def with_own_seed(folder, path):
    batches = batches_of(path, seed=this_process().rank)
    with pytest.raises(ValueError, match=r"rank 1 has others than rank 0: .* same s") as refused:
        fit_distributed(model_of(), batches, folder=folder, device="cpu")
    return str(refused.value)


def test_batches_of_another_seed_are_refused(files, tmp_path):
    assert len(in_processes(2, with_own_seed, tmp_path / "1", tmp_path / "run", files[False])) == 2


def losing_one(folder, path):
    calls = []

    def loss(positive, negative):
        calls.append(1)
        if len(calls) == 5 and this_process().rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return losses.bpr_loss(positive, negative)

    try:
        trained(folder, path, loss=loss)
    except LostProcessError as error:
        return str(error)
    return "nothing was noticed"


def test_who_is_left_says_in_one_line_that_a_process_is_gone(files, tmp_path):
    out = tmp_path / "1"
    with pytest.raises(RuntimeError, match=r"\[0, -9\]"):
        in_processes(2, losing_one, out, tmp_path / "run", files[False])
    said = torch.load(out / "0.pt")
    assert said.startswith("rank 0: another of the 2 processes has ended or does not answer")
    assert "\n" not in said


class StopsInRankOne:
    def on_epoch_end(self, model, history):
        return this_process().rank == 1


def stopped_by_one(folder, path):
    return len(trained(folder, path, callbacks=[StopsInRankOne()])[1].train_loss)


def test_a_callback_that_stops_one_process_stops_all(files, tmp_path):
    assert in_processes(2, stopped_by_one, tmp_path / "1", tmp_path / "run", files[False]) == [1, 1]


def test_batches_without_negatives_are_refused(tmp_path):
    train = Interactions([0, 1], [0, 1], n_users=N_USERS, n_items=N_ITEMS)
    batches = InBatch(train, batch_size=2, generator=torch.Generator())
    with pytest.raises(ValueError, match="InBatch cannot be shared among processes"):
        fit_distributed(model_of(), batches, folder=tmp_path, device="cpu")


def test_bfloat16_means_what_it_means_in_the_plain_loop(files, tmp_path):
    settings = {"kind": "network", "precision": "bfloat16"}
    mine, history = trained(tmp_path / "run", files[False], **settings)
    plain, by_loop = plainly(files[False], **settings)
    assert mine.dtype == torch.float32
    torch.testing.assert_close(mine, plain, rtol=0, atol=1e-6)
    assert history.train_loss == pytest.approx(by_loop.train_loss, abs=1e-6)
    in_float32, _ = plainly(files[False], kind="network")
    assert not torch.allclose(plain, in_float32, rtol=0, atol=1e-6)


def test_settings_are_refused_before_anything_is_written(files, tmp_path):
    refused = [
        ({"precision": "16"}, "precision must be 'float32' or 'bfloat16', got '16'"),
        ({"shard_by": "users"}, "shard_by must be one of rows, row_groups, got 'users'"),
        ({"n_epochs": 0}, "n_epochs must be at least 1, got 0"),
        ({"save_every": 0}, "save_every must be at least 1, got 0"),
    ]
    for settings, message in refused:
        with pytest.raises(ValueError, match=message):
            trained(tmp_path / "run", files[False], **settings)
    assert not (tmp_path / "run").exists()


def test_variables_of_a_process_must_be_complete_and_fit():
    whole = variables(1, 2, 29_500)
    assert this_process(whole).rank == 1
    assert this_process({"LOCAL_RANK": "0"}).world == 1
    wrong = [
        ({"MASTER_PORT": ""}, "MASTER_PORT is not set: start by torchrun"),
        ({"RANK": "one"}, "RANK must be a whole number, got 'one'"),
        ({"RANK": "2"}, "RANK must be below WORLD_SIZE, got 2 and 2"),
        ({"WORLD_SIZE": "3"}, "as many processes as the others"),
    ]
    for change, message in wrong:
        with pytest.raises(ValueError, match=message):
            this_process({**whole, **change})
