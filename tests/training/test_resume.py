"""A run that was killed and goes on is the run that was not; a file of another run is refused."""

import pytest
import torch
from torch import nn

from nbhelpers.data.interactions import Interactions
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.batches import PairBatches
from nbhelpers.sampling.negatives import ExactNegatives
from nbhelpers.training.fit import fit
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.fit_stages import Stage, fit_stages
from nbhelpers.training.losses import bpr_loss
from nbhelpers.training.optimizers import one_cycle
from nbhelpers.training.resume import Checkpoint, CheckpointError

TRAIN = Interactions(torch.arange(6) % 3, torch.arange(6), n_users=3, n_items=8)
X = torch.arange(10.0).unsqueeze(1)
STAGES = [Stage("biases", ("*_bias.*",), lr=0.1, n_epochs=2), Stage("all", ("*",), 0.05, 3)]


class KilledError(Exception):
    pass


class DiesIn:
    """Ends the process, so to speak, at the end of the n-th epoch that it sees."""

    def __init__(self, n):
        self.left = n

    def on_epoch_end(self, model, history):
        self.left -= 1
        if not self.left:
            raise KilledError


def valley():
    """A metric that gets better, then worse; it goes by the weights, so it survives a stop."""
    return lambda model: {"score": -abs(next(model.parameters()).detach().abs().sum().item() - 2.0)}


def rating_run(**settings):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    generator = torch.Generator().manual_seed(1)
    settings = {"n_epochs": 5, "schedule": one_cycle, "batch_size": 3, "lr": 0.1} | settings
    return model, fit(model, (X, 2 * X), (X, 2 * X), generator=generator, device="cpu", **settings)


def pair_batches():
    generator = torch.Generator().manual_seed(1)
    return PairBatches(
        TRAIN, ExactNegatives(TRAIN), batch_size=2, n_negatives=2, generator=generator
    )


def ranking_run(**settings):
    torch.manual_seed(0)
    model = MatrixFactorization(3, 8, 2)
    settings = {"n_epochs": 5, "lr": 0.1, "patience": 9, "validate": valley()} | settings
    return model, fit_ranking(model, pair_batches(), device="cpu", **settings)


def staged_run(stages=STAGES, **settings):
    torch.manual_seed(0)
    model = MatrixFactorization(3, 8, 2)
    return model, fit_stages(model, pair_batches(), stages, device="cpu", **settings)


def histories(run):
    return getattr(run, "stages", {"": run})


def assert_same(one, other):
    torch.testing.assert_close(one[0].state_dict(), other[0].state_dict())
    ours, theirs = histories(one[1]), histories(other[1])
    assert ours.keys() == theirs.keys()
    for name, history in ours.items():
        assert history.train_loss == pytest.approx(theirs[name].train_loss)
        assert history.metrics.keys() == theirs[name].metrics.keys()
        for metric, values in history.metrics.items():
            assert values == pytest.approx(theirs[name].metrics[metric])
        assert history.learning_rates == theirs[name].learning_rates


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("run", [rating_run, ranking_run, staged_run])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(run, n, tmp_path):
    path = tmp_path / "run.pt"
    with pytest.raises(KilledError):
        run(checkpoint=path, callbacks=[DiesIn(n)])
    assert path.exists() == (n > 1)
    torch.manual_seed(99)  # whatever happened in between
    assert_same(run(checkpoint=path), run())


def test_a_run_may_be_killed_again_and_again(tmp_path):
    path = tmp_path / "run.pt"
    for _ in range(4):
        with pytest.raises(KilledError):
            staged_run(checkpoint=path, callbacks=[DiesIn(2)])
    assert_same(staged_run(checkpoint=path), staged_run())


def test_numbers_that_moved_in_a_stage_are_counted_across_a_stop(tmp_path):
    """The biases rest in the second stage; against the weights of the start they have moved."""
    stages = [STAGES[0], Stage("factors", ("*_factors.*",), lr=0.05, n_epochs=3)]
    with pytest.raises(KilledError):
        staged_run(stages, checkpoint=tmp_path / "run.pt", callbacks=[DiesIn(4)])
    (_, found), (_, wanted) = staged_run(stages, checkpoint=tmp_path / "run.pt"), staged_run(stages)
    assert found.table.drop(columns="train_loss").equals(wanted.table.drop(columns="train_loss"))


def test_a_finished_run_is_not_trained_again(tmp_path):
    for run in (rating_run, ranking_run, staged_run):
        path = tmp_path / f"{run.__name__}.pt"
        first = run(checkpoint=path)
        seen = DiesIn(1)
        assert_same(run(checkpoint=path, callbacks=[seen]), first)
        assert seen.left == 1


def test_a_run_without_a_schedule_may_be_made_longer(tmp_path):
    path = tmp_path / "run.pt"
    ranking_run(checkpoint=path, n_epochs=2)
    assert_same(ranking_run(checkpoint=path, n_epochs=5), ranking_run(n_epochs=5))


def test_patience_that_was_over_stays_over(tmp_path):
    first = ranking_run(checkpoint=tmp_path / "run.pt", patience=1, n_epochs=40)
    assert len(first[1].train_loss) < 40
    again = ranking_run(checkpoint=tmp_path / "run.pt", patience=1, n_epochs=40)
    assert_same(again, first)


def test_best_weights_from_before_a_stop_come_back(tmp_path):
    best = ranking_run()[1].best_epoch
    assert 1 < best < 5
    with pytest.raises(KilledError):
        ranking_run(checkpoint=tmp_path / "run.pt", callbacks=[DiesIn(5)])
    model, history = ranking_run(checkpoint=tmp_path / "run.pt")
    assert valley()(model)["score"] == pytest.approx(history.metrics["score"][best - 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patience": 3}, "patience was 9, now 3"),
        ({"lr": 0.2}, "optimizer was AdamW"),
        ({"loss": bpr_loss}, "loss was logistic_loss, now bpr_loss"),
        ({"schedule": one_cycle}, "schedule was NoneType, now one_cycle"),
    ],
)
def test_the_file_of_another_run_is_refused(change, message, tmp_path):
    path = tmp_path / "run.pt"
    ranking_run(checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=rf"run\.pt belongs to another run: {message}"):
        ranking_run(checkpoint=path, **change)
    assert path.read_bytes() == before


def test_other_rows_of_the_same_size_are_another_run(tmp_path):
    model, path = nn.Linear(1, 1), tmp_path / "run.pt"
    fit(model, (X, 2 * X), n_epochs=1, checkpoint=path)
    with pytest.raises(CheckpointError, match="belongs to another run: rows was"):
        fit(model, (X, 3 * X), n_epochs=1, checkpoint=path)


def test_another_model_is_another_run(tmp_path):
    fit(nn.Linear(1, 1), (X, X), n_epochs=1, checkpoint=tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match=r"shapes was .*'bias': \(1,\)"):
        fit(nn.Linear(1, 1, bias=False), (X, X), n_epochs=1, checkpoint=tmp_path / "run.pt")


@pytest.mark.parametrize("stages", [STAGES[:1], STAGES[::-1]])
def test_other_stages_are_another_run(stages, tmp_path):
    staged_run(checkpoint=tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match="belongs to another run: stages was"):
        staged_run(stages, checkpoint=tmp_path / "run.pt")


def cut(content):
    return content[: len(content) // 2]


def altered(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, altered, lambda _: b"", lambda _: b"text"])
def test_a_damaged_file_is_refused_by_its_name(damage, tmp_path):
    path = tmp_path / "run.pt"
    rating_run(checkpoint=path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"run\.pt is damaged or no checkpoint: delete it"):
        rating_run(checkpoint=path)


def test_a_file_that_could_run_a_program_is_not_read(tmp_path):
    file = Checkpoint(tmp_path / "run.pt")
    file.save({"model": nn.Linear(1, 1)}, {})
    with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
        file.load({})


def test_a_file_of_a_later_version_is_refused(tmp_path, monkeypatch):
    file = Checkpoint(tmp_path / "run.pt")
    with monkeypatch.context() as later:
        later.setattr("nbhelpers.training.resume.FORMAT", 99)
        file.save({}, {})
    with pytest.raises(CheckpointError, match="has format 99, and this version reads 1"):
        file.load({})


def test_a_failed_write_leaves_the_file_before(tmp_path, monkeypatch):
    file = Checkpoint(tmp_path / "run.pt")
    file.save({"epoch": 1}, {})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        file.save({"epoch": 2}, {})
    assert file.load({})["epoch"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]
