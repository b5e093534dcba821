"""Optimizers that step together: who moves how, from one backward pass."""

import pytest
import torch
from torch import nn

from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.training.optimizers import (
    JointOptimizer,
    adam,
    adam_l2,
    factors_and_biases,
    one_cycle,
    sparse_tables,
)

USERS, ITEMS = torch.tensor([0, 1, 1]), torch.tensor([2, 0, 2])


class SparseTables(nn.Module):
    """Rows 0 to 3 of a sparse table, and one dense weight."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(4, 2, sparse=True)
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, rows):
        return (self.table(rows) * self.scale).sum()


def model():
    torch.manual_seed(0)
    return MatrixFactorization(3, 4, 2)


def backward(some_model):
    loss = -some_model(USERS, ITEMS).sigmoid().log().mean()
    loss.backward()
    return loss


def test_each_part_steps_as_its_own_optimizer_would():
    ours, theirs = model(), model()
    joint = factors_and_biases(ours, lr=0.1, bias_lr=0.5)
    factors = [theirs.user_factors.weight, theirs.item_factors.weight]
    apart = [
        torch.optim.AdamW(factors, lr=0.1, weight_decay=0.0),
        torch.optim.SGD([theirs.item_bias.weight], lr=0.5),
    ]
    for _ in range(3):
        joint.zero_grad()
        backward(ours)
        joint.step()
        for optimizer in apart:
            optimizer.zero_grad()
        backward(theirs)
        for optimizer in apart:
            optimizer.step()
    for got, wanted in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(got, wanted)


def test_a_bias_moves_by_its_rate_times_its_gradient():
    ours = model()
    before = ours.item_bias.weight.detach().clone()
    joint = factors_and_biases(ours, lr=0.1, bias_lr=0.5)
    backward(ours)
    gradient = ours.item_bias.weight.grad.clone()
    joint.step()
    torch.testing.assert_close(ours.item_bias.weight.detach(), before - 0.5 * gradient)
    assert gradient[[0, 2]].abs().min() > 0


def test_every_bias_is_found_and_nothing_else():
    joint = factors_and_biases(DotProductBias(3, 4, 2), lr=0.1, bias_lr=0.5)
    slow = {len(weight) for weight in joint.optimizers[-1].param_groups[0]["params"]}
    fast = {weight.shape[1] for weight in joint.optimizers[0].param_groups[0]["params"]}
    assert (slow, fast) == ({3, 4}, {2})  # rows of users and items; two factors


def test_decay_is_for_factors_alone():
    ours = model()
    before = [weight.detach().clone() for weight in ours.parameters()]
    joint = factors_and_biases(ours, lr=0.1, bias_lr=0.5, wd=0.1)
    for weight in ours.parameters():
        weight.grad = torch.zeros_like(weight)
    joint.step()
    for weight, old, share in zip(ours.parameters(), before, [0.99, 0.99, 1], strict=True):
        torch.testing.assert_close(weight.detach(), share * old)


def test_a_closure_is_called_once_and_may_differentiate():
    ours, calls = model(), []

    def closure():
        calls.append(1)
        joint.zero_grad()
        return backward(ours)

    joint = factors_and_biases(ours, lr=0.1, bias_lr=0.5)
    assert joint.step(closure).item() > 0
    assert len(calls) == 1


def test_schedule_reaches_every_member():
    joint = factors_and_biases(model(), lr=0.1, bias_lr=0.5)
    scheduler = one_cycle(joint, 8)
    rates = []
    for _ in range(8):
        joint.step()
        rates.append([member.param_groups[0]["lr"] for member in joint.optimizers])
        scheduler.step()
    assert max(rates) == pytest.approx([0.1, 0.5], rel=1e-6)
    assert rates[-1][0] < 1e-3
    assert rates[-1][1] < 5e-3


def test_a_stopped_run_goes_on_from_the_state():
    straight, stopped = model(), model()
    whole = factors_and_biases(straight, lr=0.1, bias_lr=0.5)
    first = factors_and_biases(stopped, lr=0.1, bias_lr=0.5)
    steps(straight, whole, 4)
    steps(stopped, first, 2)
    second = factors_and_biases(stopped, lr=9.0, bias_lr=9.0)
    second.load_state_dict(first.state_dict())
    assert [group["lr"] for group in second.param_groups] == [0.1, 0.5]
    second.param_groups[1]["lr"] = 0.5  # still the member's own group
    assert second.param_groups[1] is second.optimizers[1].param_groups[0]
    steps(stopped, second, 2)
    for got, wanted in zip(stopped.parameters(), straight.parameters(), strict=True):
        torch.testing.assert_close(got, wanted)


def steps(some_model, optimizer, n_steps):
    for _ in range(n_steps):
        optimizer.zero_grad()
        backward(some_model)
        optimizer.step()


def test_sparse_tables_are_found_by_name():
    assert sparse_tables(SparseTables()) == {"table.weight"}
    assert sparse_tables(nn.Embedding(2, 2, sparse=True)) == {"weight"}
    assert sparse_tables(model()) == set()


def test_idle_rows_of_a_sparse_table_rest_and_dense_weights_move():
    some_model = SparseTables()
    before = some_model.table.weight.detach().clone()
    optimizer = adam(some_model, lr=0.1)
    for row in ([1, 2], [1]):
        optimizer.zero_grad()
        some_model(torch.tensor(row)).backward()
        optimizer.step()
    moved = (some_model.table.weight != before).any(dim=1)
    assert moved.tolist() == [False, True, True, False]
    assert (some_model.scale != 1).all()


def test_without_sparse_tables_adam_is_that_of_torch():
    ours, theirs = model(), model()
    pairs = [
        (ours, adam(ours, lr=0.1, wd=0.2)),
        (theirs, torch.optim.AdamW(theirs.parameters(), lr=0.1, weight_decay=0.2)),
    ]
    for some_model, optimizer in pairs:
        steps(some_model, optimizer, 3)
    for got, wanted in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(got, wanted)


def test_a_parameter_in_two_optimizers_is_refused():
    weight = nn.Parameter(torch.ones(1))
    members = [torch.optim.SGD([weight], lr=1.0), torch.optim.SGD([weight], lr=1.0)]
    with pytest.raises(ValueError, match="two optimizers"):
        JointOptimizer(members)


def test_no_optimizer_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        JointOptimizer([])


def test_a_model_without_biases_is_refused():
    with pytest.raises(ValueError, match="must have biases"):
        factors_and_biases(nn.Linear(2, 2, bias=False), lr=0.1, bias_lr=0.1)


def test_decay_of_a_sparse_table_is_refused():
    with pytest.raises(ValueError, match=r"sparse tables cannot decay, got wd=0\.1"):
        adam(SparseTables(), lr=0.1, wd=0.1)


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match="no parameter"):
        adam(nn.Identity(), lr=0.1)


@pytest.mark.parametrize("make", [adam, adam_l2])
@pytest.mark.parametrize("cut", [lambda t: t[:, :3], lambda t: t[::2], lambda t: t.T])
def test_weights_cut_out_of_a_larger_table_take_the_steps_of_a_copy(cut, make):
    table = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    weights = [nn.Parameter(torch.zeros(0)), nn.Parameter(cut(table).clone().contiguous())]
    weights[0].data = cut(table.clone())
    target = torch.arange(float(weights[1].numel())).view(weights[1].shape)
    for weight in weights:
        part = nn.Module()
        part.weight = weight
        optimizer = make(part, lr=0.1, wd=0.2)
        for _ in range(3):
            optimizer.zero_grad()
            (weight - target).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(weights[0].detach(), weights[1].detach())


def test_each_pattern_of_names_has_its_decay_and_the_first_that_fits_counts():
    """Without gradients but zeros, a step of AdamW multiplies a weight by 1 - lr * decay."""
    model = MatrixFactorization(2, 3, 4)
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(1.0)
            weight.grad = torch.zeros_like(weight)
    optimizer = adam(model, lr=0.1, wd={"user_*": 2.0, "*_factors.*": 0.5})
    optimizer.step()
    left = {name: weight[0, 0].item() for name, weight in model.named_parameters()}
    wanted = {"user_factors.weight": 0.8, "item_factors.weight": 0.95, "item_bias.weight": 1.0}
    assert left == pytest.approx(wanted)


def test_one_decay_for_all_is_that_of_every_pattern():
    trained = []
    for wd in (0.3, {"*": 0.3}):
        torch.manual_seed(0)
        model = MatrixFactorization(2, 3, 4)
        optimizer = adam(model, lr=0.1, wd=wd)
        for _ in range(3):
            optimizer.zero_grad()
            model(USERS, ITEMS).sum().backward()
            optimizer.step()
        trained.append(torch.cat([weight.flatten() for weight in model.parameters()]))
    assert torch.equal(*trained)


def test_a_sparse_table_may_be_left_out_of_the_decay():
    model = SparseTables()
    adam(model, lr=0.1, wd={"scale": 0.5})
    with pytest.raises(ValueError, match="sparse tables cannot decay"):
        adam(model, lr=0.1, wd={"table.*": 0.5})


def test_a_decay_that_fits_no_parameter_is_refused():
    with pytest.raises(ValueError, match=r"decay of 'layers\.\*' fits no parameter.*user_factors"):
        adam(MatrixFactorization(2, 3, 4), lr=0.1, wd={"layers.*": 0.5, "*": 0.1})


def test_adam_l2_is_torchs_adam_with_the_penalty_in_the_gradient():
    ours, theirs = model(), model()
    settings = {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-5}
    optimizers = [
        adam_l2(ours, lr=0.1, wd=0.2),
        torch.optim.Adam(theirs.parameters(), weight_decay=0.2, **settings),
    ]
    for _ in range(3):
        for some_model, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            backward(some_model)
            optimizer.step()
    for got, wanted in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(got, wanted)


def test_adam_passes_its_memory_on():
    optimizer = adam(model(), lr=0.1, betas=(0.8, 0.9), eps=1e-3)
    assert (optimizer.defaults["betas"], optimizer.defaults["eps"]) == ((0.8, 0.9), 1e-3)
    sparse = adam(SparseTables(), lr=0.1, betas=(0.8, 0.9), eps=1e-3)
    assert [member.defaults["betas"] for member in sparse.optimizers] == [(0.8, 0.9)] * 2
