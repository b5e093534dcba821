"""Stages: what is frozen stays to the bit, what is not moves, and the run says which was which."""

import pytest
import torch
from torch import nn

from nbhelpers.data.interactions import Interactions
from nbhelpers.models.hybrid import Hybrid
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.batches import PairBatches, UserBatches
from nbhelpers.sampling.negatives import ExactNegatives
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.fit_stages import Stage, fit_stages, stage_table
from nbhelpers.training.losses import bpr_loss, full_softmax_loss
from nbhelpers.training.optimizers import one_cycle

# Even users like even items, odd users odd ones.
KNOWN = [(user, item) for user in range(8) for item in range(8) if (user + item) % 2 == 0]
TRAIN = Interactions(*torch.tensor(KNOWN).T, n_users=8, n_items=8)
FEATURES = torch.eye(2)[torch.arange(8) % 2]

FROZEN = Stage("frozen", ("*_tower.*", "layers.*"), lr=1e-2, n_epochs=2)
UNFROZEN = Stage("unfrozen", ("*",), lr=1e-4, n_epochs=3)

# By hand: factors 2 x 8 x 3 and 8 biases; a tower of 2 x 4 + 4; layers of (6 + 4) x 5 + 5 and 5 + 1
N_PRETRAINED, N_NEW = 48 + 8, 12 + 55 + 6


@pytest.fixture(autouse=True)
def no_progress_bar(monkeypatch):
    monkeypatch.setenv("CI", "1")


def pair_batches(seed=1):
    generator = torch.Generator().manual_seed(seed)
    sampler = ExactNegatives(TRAIN)
    return PairBatches(TRAIN, sampler, batch_size=6, n_negatives=3, generator=generator)


def hybrid():
    torch.manual_seed(0)
    source = MatrixFactorization(8, 8, 3)
    return Hybrid.from_pretrained(source, item_features=FEATURES, n_metadata=4, n_hidden=(5,))


def copies(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def moved(model, before):
    return {name for name, weight in model.named_parameters() if not weight.equal(before[name])}


NEW = {
    "item_tower.layer.weight",
    "item_tower.layer.bias",
    "layers.0.weight",
    "layers.0.bias",
    "layers.2.weight",
    "layers.2.bias",
}
PRETRAINED = {"user_factors.weight", "item_factors.weight", "item_bias.weight"}


def test_frozen_factors_stay_to_the_bit_and_unfrozen_ones_move():
    model = hybrid()
    before = copies(model)
    fit_stages(model, pair_batches(), [FROZEN])
    assert moved(model, before) == NEW
    before = copies(model)
    fit_stages(model, pair_batches(), [UNFROZEN])
    assert moved(model, before) == NEW | PRETRAINED


def test_a_frozen_stage_after_a_trained_one_moves_nothing_by_old_gradients():
    model = hybrid()
    seen = []

    def validate(some_model):
        seen.append(some_model.item_factors.weight.detach().clone())
        return {}

    fit_stages(model, pair_batches(), [UNFROZEN, FROZEN], validate=validate)
    unfrozen, frozen = seen[:3], seen[3:]
    assert not unfrozen[0].equal(unfrozen[2])
    assert all(weight.equal(unfrozen[2]) for weight in frozen)


def test_weight_decay_leaves_frozen_parameters_alone():
    model = hybrid()
    before = copies(model)
    fit_stages(model, pair_batches(), [Stage("decay", ("layers.*",), lr=0.1, wd=0.5)])
    assert moved(model, before) == {name for name in NEW if name.startswith("layers")}


def test_run_tells_what_it_did():
    table = fit_stages(hybrid(), pair_batches(), [FROZEN, UNFROZEN]).table
    assert table.index.tolist() == ["frozen", "unfrozen"]
    assert table["lr"].tolist() == [1e-2, 1e-4]
    assert table["n_trainable"].tolist() == [N_NEW, N_NEW + N_PRETRAINED]
    assert table["n_epochs"].tolist() == [2, 3]


def test_run_counts_the_numbers_that_moved():
    model = hybrid()
    before = copies(model)
    table = fit_stages(model, pair_batches(), [UNFROZEN]).table
    wanted = sum(
        old != new
        for name, weight in model.named_parameters()
        for old, new in zip(before[name].flatten().tolist(), weight.flatten().tolist(), strict=True)
    )
    assert table["n_moved"].tolist() == [wanted]
    assert N_PRETRAINED < wanted < N_PRETRAINED + N_NEW  # a ReLU that is silent has no gradient


def test_schedule_can_be_read_before_the_run():
    model = hybrid()
    bias = Stage("bias", ("item_bias.*", "layers.0.weight"), lr=1.0, n_epochs=1)
    table = stage_table(model, [FROZEN, UNFROZEN, bias])
    assert table.index.tolist() == ["frozen", "unfrozen", "bias"]
    assert table["trains"].tolist() == [
        "item_tower, layers",
        "user_factors, item_factors, item_bias, item_tower, layers",
        "item_bias, layers.0.weight",
    ]
    assert table["n_trainable"].tolist() == [N_NEW, N_NEW + N_PRETRAINED, 8 + 50]
    assert table["n_frozen"].tolist() == [N_PRETRAINED, 0, N_NEW + N_PRETRAINED - 58]
    assert table["lr"].tolist() == [1e-2, 1e-4, 1.0]
    assert table["n_epochs"].tolist() == [2, 3, 1]
    assert all(weight.requires_grad for weight in model.parameters())


def test_one_stage_of_everything_is_the_plain_run():
    staged, plain = hybrid(), hybrid()
    stage = Stage("all", ("*",), lr=0.02, n_epochs=3, wd=0.1)
    history = fit_stages(staged, pair_batches(), [stage], loss=bpr_loss, device="cpu")
    recipe = {"n_epochs": 3, "lr": 0.02, "wd": 0.1, "device": "cpu"}
    wanted = fit_ranking(plain, pair_batches(), loss=bpr_loss, **recipe)
    torch.testing.assert_close(copies(staged), copies(plain))
    assert history.stages["all"].train_loss == pytest.approx(wanted.train_loss)
    assert history.table["train_loss"].item() == history.stages["all"].train_loss[-1]


def test_metrics_of_each_stage_are_kept_apart():
    values = iter([0.1, 0.2, 0.9, 0.8, 0.7])
    stages = fit_stages(
        hybrid(), pair_batches(), [FROZEN, UNFROZEN], validate=lambda _: {"map": next(values)}
    ).stages
    assert stages["frozen"].metrics["map"] == [0.1, 0.2]
    assert stages["unfrozen"].metrics["map"] == [0.9, 0.8, 0.7]


def test_patience_counts_in_each_stage_anew():
    values = iter([0.9, 0.1, 0.2, 0.1, 0.0])
    run = fit_stages(
        hybrid(),
        pair_batches(),
        [FROZEN, UNFROZEN],
        validate=lambda _: {"map": next(values)},
        patience=1,
    )
    assert run.table["n_epochs"].tolist() == [2, 2]
    assert next(values) == 0.0


def test_what_was_frozen_by_hand_is_frozen_again_at_the_end():
    model = hybrid()
    model.item_bias.weight.requires_grad_(False)
    during = []
    fit_stages(
        model,
        pair_batches(),
        [FROZEN, UNFROZEN],
        validate=lambda m: during.append([w.requires_grad for w in m.parameters()]) or {},
    )
    names = [name for name, _ in model.named_parameters()]
    assert during[0] == [name in NEW for name in names]
    assert during[-1] == [True] * len(names)
    assert {n for n, w in model.named_parameters() if not w.requires_grad} == {"item_bias.weight"}


def test_requires_grad_comes_back_after_an_error():
    model = hybrid()
    with pytest.raises(FloatingPointError):
        fit_stages(model, pair_batches(), [FROZEN], loss=lambda good, _: good.sum() * torch.nan)
    assert all(weight.requires_grad and weight.grad is None for weight in model.parameters())


class WritesToItself(nn.Module):
    """Its table is scaled with every call, whatever an optimizer does."""

    def __init__(self):
        super().__init__()
        self.table, self.scale = nn.Embedding(8, 1), nn.Parameter(torch.ones(1))

    def forward(self, user_idx, item_idx):
        with torch.no_grad():
            self.table.weight.mul_(0.9)
        return self.scale * self.table(item_idx).squeeze(1).detach()


def test_a_frozen_parameter_that_moved_all_the_same_is_named():
    with pytest.raises(ValueError, match=r"'one' froze table.weight, which moved all the same"):
        fit_stages(WritesToItself(), pair_batches(), [Stage("one", ("scale",), lr=0.1)])


def test_a_pattern_without_a_parameter_is_refused_before_the_first_stage():
    model = hybrid()
    before = copies(model)
    stages = [UNFROZEN, Stage("towers", ("layers.*", "user_tower.*"), lr=0.1)]
    for refuse in (stage_table, lambda m, s: fit_stages(m, pair_batches(), s)):
        with pytest.raises(ValueError, match=r"'towers' trains 'user_tower.\*', which fits no"):
            refuse(model, stages)
    assert moved(model, before) == set()


@pytest.mark.parametrize("stages", [[], [FROZEN, FROZEN]])
def test_stages_need_different_names(stages):
    with pytest.raises(ValueError, match="stages must be one or more, of different names"):
        stage_table(hybrid(), stages)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trains": "layers.*"}, r"trains must be a tuple of patterns, got 'layers.\*'"),
        ({"trains": ()}, r"trains must be a tuple of patterns, got \(\)"),
        ({"lr": 0.0}, "needs lr above 0, n_epochs of at least 1 and wd of at least 0, got 0.0"),
        ({"lr": float("nan")}, "needs lr above 0"),
        ({"n_epochs": 0}, "n_epochs of at least 1"),
        ({"wd": -0.1}, "wd of at least 0"),
    ],
)
def test_a_stage_out_of_range_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Stage(**{"name": "some", "trains": ("*",), "lr": 0.1} | settings)


def test_each_stage_has_a_schedule_of_its_own():
    """One cycle: a stage starts low, climbs to its own rate and falls again."""
    seen = []

    def noted(optimizer, n_steps):
        schedule = one_cycle(optimizer, n_steps)
        seen.append((n_steps, optimizer.param_groups[0]["max_lr"], schedule))
        return schedule

    history = fit_stages(hybrid(), pair_batches(), [FROZEN, UNFROZEN], schedule=noted, device="cpu")
    n_batches = len(pair_batches())
    assert [(n, peak) for n, peak, _ in seen] == [(2 * n_batches, 1e-2), (3 * n_batches, 1e-4)]
    for (_, peak, schedule), rate in zip(seen, (1e-2, 1e-4), strict=True):
        assert schedule.get_last_lr()[0] < peak / 20
        assert peak == rate
    assert history.table["lr"].tolist() == [1e-2, 1e-4]


def test_stages_take_batches_of_users():
    model = hybrid()
    before = copies(model)
    batches = UserBatches(TRAIN, batch_size=4, generator=torch.Generator().manual_seed(1))
    fit_stages(model, batches, [FROZEN], loss=full_softmax_loss, device="cpu")
    assert moved(model, before) == NEW


def test_a_stage_may_let_the_network_decay_more_than_the_factors():
    with pytest.raises(ValueError, match="wd of at least 0"):
        Stage("all", ("*",), lr=0.1, wd={"layers.*": -1.0})
    before = copies(hybrid())
    model = hybrid()
    stage = Stage("all", ("*",), lr=1e-6, n_epochs=1, wd={"layers.*": 5e4})
    n_batches = len(pair_batches())
    fit_stages(model, pair_batches(), [stage], device="cpu")
    for name, weight in copies(model).items():
        left = 0.95**n_batches if name.startswith("layers") else 1.0  # 1 - 1e-6 * 5e4 a step
        torch.testing.assert_close(weight, left * before[name], rtol=1e-3, atol=1e-4)
