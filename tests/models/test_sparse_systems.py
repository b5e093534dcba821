"""Sparse systems against dense solves in float64, other threads and the library implicit."""

import numpy as np
import pytest
import torch

from nbhelpers.core import padding
from nbhelpers.data.interactions import Interactions
from nbhelpers.models import sparse_systems
from nbhelpers.models.als import ALS
from nbhelpers.models.conjugate_gradients import RowProblems
from nbhelpers.models.sparse_systems import row_blocks

N_ROWS, N_COLUMNS, N_FACTORS = 40, 25, 6


@pytest.fixture(params=[sparse_systems.BLOCK_SIZE, 60, 1], ids=["one block", "some", "a row each"])
def block_size(request, monkeypatch):
    monkeypatch.setattr(sparse_systems, "BLOCK_SIZE", request.param)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(sparse_systems, "BLOCK_SIZE", 1_000)
    monkeypatch.setattr(padding, "CHUNK_SIZE", 10_000)


@pytest.fixture
def case():
    """Random rows, of which rows 0 and 39 are empty, and the arguments of a solve."""
    rng = np.random.default_rng(0)
    held = rng.random((N_ROWS, N_COLUMNS)) < 0.3
    held[[0, -1]] = False
    rows, columns = np.nonzero(held)
    indptr = np.append(0, np.cumsum(held.sum(axis=1)))

    def drawn(*shape):
        return torch.from_numpy(rng.random(shape).astype(np.float32))

    problems = RowProblems(
        indptr,
        torch.from_numpy(columns.astype(np.int32)),
        square=drawn(len(rows)),
        linear=1 + drawn(len(rows)),
        damping=0.5 + drawn(N_ROWS),
        unobserved_weight=0.3,
    )
    others, start, mean = (drawn(n, N_FACTORS) for n in (N_COLUMNS, N_ROWS, N_ROWS))
    return problems, others, {"start": start, "mean": mean}


def dense_systems(problems, others, mean):
    """Left and right sides in float64, by a loop over rows and their positives."""
    others = others.double().numpy()
    for row in range(N_ROWS):
        damping = float(problems.damping[row])
        left = 0.3 * others.T @ others + damping * np.eye(N_FACTORS)
        right = damping * mean[row].double().numpy()
        for at in range(problems.indptr[row], problems.indptr[row + 1]):
            own = others[problems.columns[at]]
            left += float(problems.square[at]) * np.outer(own, own)
            right += float(problems.linear[at]) * own
        yield left, right


def stepped(left, right, x, n_steps):
    """Conjugate gradients of one row, as in a textbook."""
    residual = right - left @ x
    direction = residual
    for _ in range(n_steps):
        stride = residual @ residual / (direction @ left @ direction)
        x = x + stride * direction
        after = residual - stride * left @ direction
        direction = after + (after @ after) / (residual @ residual) * direction
        residual = after
    return x


@pytest.mark.usefixtures("block_size")
@pytest.mark.parametrize("with_mean", [False, True])
@pytest.mark.parametrize("n_steps", [1, 3])
def test_steps_equal_those_of_dense_systems(case, n_steps, with_mean):
    problems, others, given = case
    mean = given["mean"] if with_mean else torch.zeros(N_ROWS, N_FACTORS)
    found = problems.near(others, given["start"], n_steps=n_steps, mean=mean if with_mean else None)
    for row, (left, right) in enumerate(dense_systems(problems, others, mean)):
        expected = stepped(left, right, given["start"][row].double().numpy(), n_steps)
        if row in (0, N_ROWS - 1):
            expected = np.zeros(N_FACTORS)
        np.testing.assert_allclose(found[row], expected, rtol=1e-4, atol=1e-5)


def test_exact_answers_equal_those_of_dense_systems(case):
    problems, others, given = case
    found = problems.solve(others, mean=given["mean"])
    systems = list(dense_systems(problems, others, given["mean"]))[1:-1]
    expected = [np.linalg.solve(left, right) for left, right in systems]
    np.testing.assert_allclose(found[1:-1], expected, rtol=1e-4, atol=1e-5)


def test_padded_rows_take_the_same_steps(case, monkeypatch):
    problems, others, given = case
    sparse = problems.near(others, n_steps=3, **given)
    monkeypatch.setattr("nbhelpers.models.conjugate_gradients.DEVICES", ())
    torch.testing.assert_close(problems.near(others, n_steps=3, **given), sparse)


@pytest.mark.parametrize("n_factors", [0, 7])
def test_blocks_hold_each_row_once_in_order(n_factors, monkeypatch):
    monkeypatch.setattr(sparse_systems, "BLOCK_SIZE", 20)
    counts = np.random.default_rng(0).integers(0, 30, size=50)
    indptr = np.append(0, np.cumsum(counts))
    blocks = list(row_blocks(indptr, n_factors=n_factors))
    assert [row for block in blocks for row in range(50)[block]] == list(range(50))
    for block in blocks:
        rows = counts[block]
        assert len(rows) == 1 or rows.sum() + n_factors * len(rows) <= 20


def likes(seed, n_users=300, n_items=200, n_pairs=6_000):
    """Pairs of users and items by power laws."""
    rng = np.random.default_rng(seed)
    shares = [1 / np.arange(1, n + 1) ** 0.7 for n in (n_users, n_items)]
    drawn = [rng.choice(len(s), n_pairs, p=s / s.sum()) for s in shares]
    return Interactions(*np.unique(drawn, axis=1), n_users=n_users, n_items=n_items)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    yield lambda: torch.set_num_threads(2)
    torch.set_num_threads(before)


@pytest.mark.parametrize("n_cg_steps", [3, None])
@pytest.mark.usefixtures("small_blocks")
def test_threads_do_not_change_the_factors(n_cg_steps, two_threads):
    def items():
        start = torch.Generator().manual_seed(0)
        model = ALS(16, n_iterations=2, n_cg_steps=n_cg_steps, generator=start)
        return model.fit(likes(0)).item_factors

    torch.set_num_threads(1)
    alone = items()
    two_threads()
    torch.testing.assert_close(items(), alone, rtol=1e-6, atol=1e-6)


def loss(users, items, preference):
    confidence = 1 + preference  # alpha 1
    errors = (confidence * (preference - users @ items.T) ** 2).sum()
    return errors + 5.0 * ((users**2).sum() + (items**2).sum())


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("draw", [0, 1])
@pytest.mark.parametrize("n_cg_steps", [3, None])
def test_loss_is_that_of_the_library(n_cg_steps, draw, seed):
    implicit = pytest.importorskip("implicit.cpu.als")
    pairs = likes(draw)
    start = torch.randn(pairs.n_items, 32, generator=torch.Generator().manual_seed(seed)) / 50
    theirs = implicit.AlternatingLeastSquares(
        32,
        alpha=1.0,
        regularization=5.0,
        iterations=5,
        use_cg=n_cg_steps is not None,
        num_threads=1,
    )
    theirs.user_factors = np.zeros((pairs.n_users, 32), dtype=np.float32)
    theirs.item_factors = start.numpy().copy()
    confidence = pairs.weighted_scipy()
    confidence.data[:] = 2
    theirs.fit(confidence, show_progress=False)
    ours = ALS(32, reg=5.0, n_iterations=5, n_cg_steps=n_cg_steps).fit(pairs, item_factors=start)
    users = ours.user_factors.double().numpy()
    users[pairs.user_counts == 0] = 0
    preference = pairs.to_scipy().toarray().astype(float)
    ours_loss = loss(users, ours.item_factors.double().numpy(), preference)
    library = [each.astype(float) for each in (theirs.user_factors, theirs.item_factors)]
    assert ours_loss == pytest.approx(loss(*library, preference), rel=1e-3)
