import numpy as np
import pytest
import torch

from nbhelpers.core import padding
from nbhelpers.data.interactions import Interactions
from nbhelpers.models.als import ALS, IALS

N_USERS, N_ITEMS = 30, 20


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def positives(rng):
    """Random positives of users 0 to 27; users 28 and 29 and item 19 have none."""
    user_idx, item_idx = np.nonzero(rng.random((28, 19)) < np.linspace(0.05, 0.9, 28)[:, None])
    return Interactions(user_idx, item_idx, n_users=N_USERS, n_items=N_ITEMS)


@pytest.fixture
def start():
    return torch.randn(N_ITEMS, 4, generator=seeded(3))


def gradient_of(loss, *factors):
    loss.backward()
    return [factor.grad.abs().max().item() for factor in factors]


def test_factors_equal_those_of_the_library(positives, start):
    implicit = pytest.importorskip("implicit.cpu.als")
    ours = ALS(4, alpha=2.0, reg=0.5, n_iterations=8).fit(positives, item_factors=start)
    theirs = implicit.AlternatingLeastSquares(
        4, alpha=3.0, regularization=0.5, iterations=8, use_cg=False, num_threads=1
    )
    theirs.user_factors = np.zeros((N_USERS, 4), dtype=np.float32)
    theirs.item_factors = start.numpy().copy()
    theirs.fit(positives.to_scipy(), show_progress=False)
    np.testing.assert_allclose(ours.item_factors, theirs.item_factors, atol=1e-4)
    np.testing.assert_allclose(ours.user_factors[:28], theirs.user_factors[:28], atol=1e-4)


@pytest.mark.parametrize("n_steps", [1, 3])
def test_conjugate_gradients_equal_those_of_the_library(positives, start, n_steps):
    implicit = pytest.importorskip("implicit.cpu.als")
    settings = {"alpha": 2.0, "reg": 0.5, "n_iterations": 5, "n_cg_steps": n_steps}
    ours = ALS(4, **settings).fit(positives, item_factors=start)
    theirs = implicit.AlternatingLeastSquares(
        4, alpha=3.0, regularization=0.5, iterations=5, use_cg=True, num_threads=1
    )
    theirs.cg_steps = n_steps
    theirs.user_factors = np.zeros((N_USERS, 4), dtype=np.float32)
    theirs.item_factors = start.numpy().copy()
    theirs.fit(positives.to_scipy(), show_progress=False)
    np.testing.assert_allclose(ours.item_factors, theirs.item_factors, atol=1e-4)
    np.testing.assert_allclose(ours.user_factors[:28], theirs.user_factors[:28], atol=1e-4)


def test_one_sweep_equals_a_loop_over_users_and_items(positives, start):
    model = ALS(4, alpha=2.0, reg=0.5, n_iterations=1).fit(positives, item_factors=start)
    preference = positives.to_scipy().toarray().astype(float)

    def solve(preference, others):
        rows = []
        for row in preference:
            confidence = np.diag(1 + 2.0 * row)
            left = others.T @ confidence @ others + 0.5 * np.eye(4)
            rows.append(np.linalg.solve(left, others.T @ confidence @ row))
        return np.array(rows)

    users = solve(preference, start.numpy().astype(float))
    np.testing.assert_allclose(model.item_factors, solve(preference.T, users), atol=1e-4)
    np.testing.assert_allclose(model.user_factors[:28], users[:28], atol=1e-4)


def test_fit_stands_at_a_minimum_of_the_loss_of_hu(positives):
    model = ALS(3, alpha=1.5, reg=2.0, n_iterations=300, generator=seeded()).fit(positives)
    users = model.user_factors.double()
    users[28:] = 0  # the formula's answer, in place of the mean
    users, items = users.requires_grad_(), model.item_factors.double().requires_grad_()
    preference = torch.from_numpy(positives.to_scipy().toarray()).double()
    loss = ((1 + 1.5 * preference) * (preference - users @ items.T) ** 2).sum()
    loss = loss + 2.0 * (users**2).sum() + 2.0 * (items**2).sum()
    assert max(gradient_of(loss, users, items)) < 1e-3


def test_fit_stands_at_a_minimum_of_the_loss_of_ials(positives):
    model = IALS(
        3, unobserved_weight=0.3, reg=0.1, reg_power=0.5, n_iterations=300, generator=seeded()
    ).fit(positives)
    users = model.user_factors.double()
    users[28:] = 0
    users, items = users.requires_grad_(), model.item_factors.double().requires_grad_()
    preference = torch.from_numpy(positives.to_scipy().toarray()).double()
    scores = users @ items.T
    loss = (preference * (1 - scores) ** 2).sum() + 0.3 * (scores**2).sum()
    by_user = 0.1 * (preference.sum(1) + 0.3 * N_ITEMS) ** 0.5
    by_item = 0.1 * (preference.sum(0) + 0.3 * N_USERS) ** 0.5
    loss = loss + (by_user * (users**2).sum(1)).sum() + (by_item * (items**2).sum(1)).sum()
    assert max(gradient_of(loss, users, items)) < 1e-3


@pytest.mark.parametrize(("kind", "reg"), [(ALS, 10.0), (IALS, 1.0)])  # enough to round little
def test_as_many_conjugate_gradients_as_factors_equal_the_exact_solution(
    kind, reg, positives, start
):
    exact, near = (
        kind(4, reg=reg, n_iterations=3, n_cg_steps=n).fit(positives, item_factors=start)
        for n in (None, 4)
    )
    torch.testing.assert_close(near.item_factors, exact.item_factors, atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(near.user_factors, exact.user_factors, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("kind", [ALS, IALS])
def test_one_conjugate_gradient_is_not_the_exact_solution(kind, positives, start):
    exact, near = (
        kind(4, n_iterations=1, n_cg_steps=n).fit(positives, item_factors=start) for n in (None, 1)
    )
    assert not torch.allclose(near.item_factors, exact.item_factors, atol=1e-3)


def loss_of_hu(model, positives, *, alpha, reg):
    users, items = model.user_factors.double(), model.item_factors.double()
    users[28:] = 0
    preference = torch.from_numpy(positives.to_scipy().toarray()).double()
    loss = ((1 + alpha * preference) * (preference - users @ items.T) ** 2).sum()
    return (loss + reg * (users**2).sum() + reg * (items**2).sum()).item()


def test_three_conjugate_gradients_a_sweep_reach_nearly_the_same_loss(positives):
    settings = {"alpha": 1.5, "reg": 0.5}
    exact, near, nearer = (
        loss_of_hu(
            ALS(16, n_cg_steps=n, generator=seeded(), **settings).fit(positives),
            positives,
            **settings,
        )
        for n in (None, 1, 3)
    )
    assert nearer < 1.01 * exact
    assert nearer < near


def test_conjugate_gradients_leave_zeros_where_there_is_no_positive(positives, start):
    model = ALS(4, n_iterations=2, n_cg_steps=2).fit(positives, item_factors=start)
    assert model.item_factors[19].tolist() == [0.0] * 4
    mean = model.user_factors[:28].mean(dim=0)
    torch.testing.assert_close(model.user_factors[28:], mean.expand(2, 4))


def test_folding_in_is_exact_after_conjugate_gradients(positives, start):
    model = ALS(4, n_cg_steps=1).fit(positives, item_factors=start)
    exact = ALS(4, n_iterations=1).fit(positives, item_factors=model.item_factors)
    folded = model.fold_in(positives).user_factors
    torch.testing.assert_close(folded[:28], exact.user_factors[:28])


@pytest.mark.parametrize("n_cg_steps", [None, 3])
def test_block_size_does_not_matter(n_cg_steps, positives, start, monkeypatch):
    settings = {"n_iterations": 2, "n_cg_steps": n_cg_steps}
    whole = ALS(4, **settings).fit(positives, item_factors=start)
    monkeypatch.setattr(padding, "CHUNK_SIZE", 1)
    by_one = ALS(4, **settings).fit(positives, item_factors=start)
    torch.testing.assert_close(by_one.item_factors, whole.item_factors)
    torch.testing.assert_close(by_one.user_factors, whole.user_factors)


def test_held_out_item_ranks_first_on_the_checkerboard():
    user, item = np.indices((8, 8)).reshape(2, -1)
    kept = ((user + item) % 2 == 0) & (user != item)  # held out: the item of the user's number
    train = Interactions(user[kept], item[kept], n_users=8, n_items=8)
    model = ALS(2, reg=0.1, generator=seeded()).fit(train)
    everybody = torch.arange(8)
    scores = model.score_users(everybody).masked_fill(train.dense(everybody), -np.inf)
    assert scores.argmax(dim=1).tolist() == list(range(8))


@pytest.mark.parametrize("model", [ALS, IALS])
def test_the_seed_decides(model, positives):
    first, again, other = (
        model(4, generator=seeded(seed), n_iterations=2).fit(positives) for seed in (0, 0, 1)
    )
    assert torch.equal(first.item_factors, again.item_factors)
    assert not torch.allclose(first.item_factors, other.item_factors)


def test_users_without_positives_have_the_mean_of_the_others(positives, start):
    model = ALS(4).fit(positives, item_factors=start)
    mean = model.user_factors[:28].mean(dim=0)
    torch.testing.assert_close(model.user_factors[28:], mean.expand(2, 4))


def test_items_without_positives_have_zeros(positives, start):
    assert ALS(4).fit(positives, item_factors=start).item_factors[19].tolist() == [0.0] * 4


def test_start_is_not_changed(positives, start):
    before = start.clone()
    ALS(4).fit(positives, item_factors=start)
    assert torch.equal(start, before)


def test_batch_equals_one_by_one(positives):
    model = ALS(4, generator=seeded()).fit(positives)
    batch = model.score_users(torch.tensor([29, 3, 3, 0]))
    assert batch.shape == (4, N_ITEMS)
    for row, user in zip(batch, (29, 3, 3, 0), strict=True):
        torch.testing.assert_close(row, model.score_users(torch.tensor([user]))[0])


def test_folding_in_the_training_users_is_the_next_half_sweep(positives, start):
    model = ALS(4, n_iterations=3).fit(positives, item_factors=start)
    next_sweep = ALS(4, n_iterations=1).fit(positives, item_factors=model.item_factors)
    folded = model.fold_in(positives).user_factors
    torch.testing.assert_close(folded[:28], next_sweep.user_factors[:28])
    torch.testing.assert_close(folded[28:], model.user_factors[28:])  # the mean user


def test_folding_in_other_items_is_refused(positives):
    model = ALS(4, generator=seeded()).fit(positives)
    with pytest.raises(ValueError, match="ALS scores 20 items, and the interactions have 3"):
        model.fold_in(Interactions([0], [2], n_users=1, n_items=3))


def test_factors_of_another_shape_are_refused(positives):
    with pytest.raises(ValueError, match=r"must have shape \(20, 5\), got \(20, 4\)"):
        ALS(5).fit(positives, item_factors=torch.zeros(20, 4))


@pytest.mark.parametrize("name", ["n_factors", "alpha", "reg", "n_iterations", "n_cg_steps"])
def test_settings_not_above_zero_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be above 0, got 0"):
        ALS(**{name: 0})


def test_unobserved_weight_not_above_zero_is_refused():
    with pytest.raises(ValueError, match="unobserved_weight must be above 0, got -1"):
        IALS(unobserved_weight=-1)


def test_no_positives_are_refused():
    with pytest.raises(ValueError, match="at least one positive is needed"):
        ALS().fit(Interactions(np.zeros(0, int), np.zeros(0, int), n_users=2, n_items=2))
