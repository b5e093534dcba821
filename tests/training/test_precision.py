"""Mixed precision: 16 bits in the matrix products of a step, and nowhere else."""

from functools import partial

import pytest
import torch
from torch import nn

from nbhelpers.data.interactions import Interactions
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.ncf import MLP
from nbhelpers.sampling.batches import PairBatches, UserBatches
from nbhelpers.sampling.negatives import UniformNegatives
from nbhelpers.training.fit import fit
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.losses import bpr_loss, full_softmax_loss

PAIRS = [(user, item) for user in range(8) for item in range(6) if (user + item) % 2 == 0]
TRAIN = Interactions(*torch.tensor(PAIRS).T, n_users=8, n_items=6)


def seeded(make):
    torch.manual_seed(0)
    return make()


def pair_batches():
    settings = {"batch_size": 8, "n_negatives": 2, "generator": torch.Generator().manual_seed(1)}
    return PairBatches(TRAIN, UniformNegatives(6), **settings)


def user_batches():
    return UserBatches(TRAIN, batch_size=4, generator=torch.Generator().manual_seed(1))


CASES = {
    "pairs": (partial(MLP, 8, 6), pair_batches, bpr_loss),
    "users": (partial(MatrixFactorization, 8, 6, 4), user_batches, full_softmax_loss),
}


@pytest.mark.parametrize("case", CASES)
def test_a_step_in_bfloat16_is_the_step_of_autocast_on_float32_weights(case):
    make, batches, loss = CASES[case]
    model, twin = seeded(make), seeded(make)
    history = fit_ranking(
        model,
        batches(),
        loss=loss,
        n_epochs=1,
        make_optimizer=partial(_sgd, lr=0.5),
        precision="bfloat16",
        device="cpu",
    )
    by_hand = [_step(twin, batch, loss) for batch in batches()]
    for mine, hand in zip(model.parameters(), twin.parameters(), strict=True):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, hand, rtol=0, atol=1e-7)
    sizes = torch.tensor([len(batch[0]) for batch in batches()], dtype=torch.float64)
    mean = float((torch.tensor(by_hand, dtype=torch.float64) * sizes).sum() / sizes.sum())
    assert history.train_loss[0] == pytest.approx(mean, abs=1e-7)


def _sgd(model, lr):
    return torch.optim.SGD(model.parameters(), lr=lr)


def _step(model, batch, loss):
    """One step by hand: scores in mixed precision, the loss of them in float32."""
    model.train()
    if len(batch) == 2:
        user_idx, positives = batch
        with torch.autocast("cpu", dtype=torch.bfloat16):
            product = model.user_factors(user_idx) @ model.item_factors.weight.T
            scores = product + model.item_bias.weight.T
        assert product.dtype == torch.bfloat16
        value = loss(scores.float(), positives)
    else:
        user_idx, item_idx, negatives = batch
        items = torch.cat([item_idx.unsqueeze(1), negatives], dim=1)
        users = user_idx.repeat_interleave(items.shape[1])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = model(users, items.flatten())
        assert scores.dtype == torch.bfloat16
        scores = scores.float().view(items.shape)
        value = loss(scores[:, 0], scores[:, 1:])
    model.zero_grad()
    value.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.5 * parameter.grad
    return value.item()


def test_ratings_are_fitted_in_bfloat16_to_nearly_the_same_line():
    x = torch.linspace(-1, 1, 64).unsqueeze(1)
    losses = {}
    for precision in ("float32", "bfloat16"):
        model = seeded(partial(nn.Linear, 1, 1))
        settings = {"n_epochs": 300, "lr": 0.05, "device": "cpu", "precision": precision}
        generator = torch.Generator().manual_seed(0)
        fit(model, (x, 2 * x + 1), generator=generator, **settings)
        losses[precision] = model.weight.item()
    assert losses["float32"] == pytest.approx(2, abs=1e-3)
    assert losses["bfloat16"] == pytest.approx(2, abs=0.02)  # 8 bits say a number to 0.4 %
    assert losses["bfloat16"] != losses["float32"]


def test_a_precision_that_no_loop_knows_is_refused():
    model = MatrixFactorization(8, 6, 4)
    message = "precision must be 'float32' or 'bfloat16', got 'float16'"
    with pytest.raises(ValueError, match=message):
        fit_ranking(model, pair_batches(), precision="float16", device="cpu")


def test_a_run_goes_on_in_the_precision_in_which_it_began(tmp_path):
    model, file = MatrixFactorization(8, 6, 4), tmp_path / "run"
    fit_ranking(model, pair_batches(), n_epochs=1, checkpoint=file, device="cpu")
    with pytest.raises(ValueError, match="precision was float32, now bfloat16"):
        fit_ranking(
            model,
            pair_batches(),
            n_epochs=2,
            checkpoint=file,
            precision="bfloat16",
            device="cpu",
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_trains_in_bfloat16():
    model = seeded(partial(MLP, 8, 6))
    history = fit_ranking(model, pair_batches(), n_epochs=20, precision="bfloat16", device="cuda")
    assert history.device.type == "cuda"
    assert history.train_loss[-1] < history.train_loss[0]
