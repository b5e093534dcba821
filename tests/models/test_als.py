import numpy as np
import pytest
import torch

from nbhelpers.core import padding
from nbhelpers.core.recommender import Explains, FoldsIn, HasVectors
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
def weighted(positives, rng):
    """The same pairs with weights from 0.5 to 5."""
    weights = rng.choice([0.5, 1.0, 2.0, 5.0], size=len(positives))
    return with_weights(positives, weights)


def with_weights(positives, weights):
    return Interactions(*positives.pairs(), n_users=N_USERS, n_items=N_ITEMS, weights=weights)


@pytest.fixture
def start():
    return torch.randn(N_ITEMS, 4, generator=seeded(3))


def gradient_of(loss, *factors):
    loss.backward()
    return [factor.grad.abs().max().item() for factor in factors]


def fit_of_the_library(confidence, start, *, n_iterations, reg, n_cg_steps=None):
    """Factors of implicit, which takes confidences as they are; 0 is no positive."""
    implicit = pytest.importorskip("implicit.cpu.als")
    model = implicit.AlternatingLeastSquares(
        start.shape[1],
        alpha=1.0,
        regularization=reg,
        iterations=n_iterations,
        use_cg=n_cg_steps is not None,
        num_threads=1,
    )
    model.cg_steps = n_cg_steps
    model.user_factors = np.zeros((confidence.shape[0], start.shape[1]), dtype=np.float32)
    model.item_factors = start.numpy().copy()
    model.fit(confidence, show_progress=False)
    return model


def confidence_of(positives, of_weight):
    confidence = positives.weighted_scipy()
    confidence.data = of_weight(confidence.data).astype(np.float32)
    return confidence


CONFIDENCES = {
    "linear": ({"alpha": 2.0}, lambda w: 1 + 2 * w),
    "log": (
        {"alpha": 2.0, "confidence": "log", "epsilon": 0.5},
        lambda w: 1 + 2 * np.log(1 + w / 0.5),
    ),
}


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize("data", ["positives", "weighted"])
@pytest.mark.parametrize("n_cg_steps", [None, 1, 3])
def test_factors_equal_those_of_the_library(data, n_cg_steps, confidence, start, request):
    interactions = request.getfixturevalue(data)
    settings, of_weight = CONFIDENCES[confidence]
    sweeps = {"reg": 0.5, "n_iterations": 5, "n_cg_steps": n_cg_steps}
    ours = ALS(4, **settings, **sweeps).fit(interactions, item_factors=start)
    theirs = fit_of_the_library(confidence_of(interactions, of_weight), start, **sweeps)
    np.testing.assert_allclose(ours.item_factors, theirs.item_factors, atol=1e-4)
    np.testing.assert_allclose(ours.user_factors[:28], theirs.user_factors[:28], atol=1e-4)


def ials_by_loop(rows, others, *, unobserved_weight, reg, reg_power):
    """Factors of each row from a list of its (column, weight): a dense solve for each."""
    solved = []
    for row in rows:
        left = unobserved_weight * others.T @ others
        right = np.zeros(others.shape[1])
        for column, weight in row:
            left += weight * np.outer(others[column], others[column])
            right += weight * others[column]
        pairs = sum(weight for _, weight in row) + unobserved_weight * len(others)
        left += reg * pairs**reg_power * np.eye(others.shape[1])
        solved.append(np.linalg.solve(left, right))
    return np.array(solved)


def rows_of(matrix):
    return [list(zip(row.indices, row.data, strict=True)) for row in matrix]


IALS_SETTINGS = {"unobserved_weight": 0.3, "reg": 0.05, "reg_power": 0.8}


def test_one_weighted_sweep_of_ials_equals_a_dense_solve_for_each_row(weighted, start):
    model = IALS(4, n_iterations=1, **IALS_SETTINGS).fit(weighted, item_factors=start)
    matrix = weighted.weighted_scipy().astype(float)
    users = ials_by_loop(rows_of(matrix), start.numpy().astype(float), **IALS_SETTINGS)
    items = ials_by_loop(rows_of(matrix.T.tocsr()), users, **IALS_SETTINGS)
    np.testing.assert_allclose(model.item_factors, items, atol=1e-4)
    np.testing.assert_allclose(model.user_factors[:28], users[:28], atol=1e-4)


def test_a_weight_of_two_is_a_pair_counted_twice_in_ials(positives, start):
    doubled = np.arange(len(positives)) % 3 == 0
    model = IALS(4, n_iterations=1, **IALS_SETTINGS)
    model.fit(with_weights(positives, 1.0 + doubled), item_factors=start)
    rows = [[] for _ in range(N_USERS)]
    for user, item, twice in zip(*positives.pairs(), doubled, strict=True):
        rows[user] += [(item, 1), (item, 1)] if twice else [(item, 1)]
    users = ials_by_loop(rows, start.numpy().astype(float), **IALS_SETTINGS)
    np.testing.assert_allclose(model.user_factors[:28], users[:28], atol=1e-4)


@pytest.mark.parametrize("kind", [ALS, IALS])
@pytest.mark.parametrize("n_cg_steps", [None, 2])
def test_weights_of_one_are_no_weights(kind, n_cg_steps, positives, start):
    model = kind(4, n_iterations=2, n_cg_steps=n_cg_steps)
    plain = model.fit(positives, item_factors=start).item_factors
    ones = with_weights(positives, np.ones(len(positives)))
    torch.testing.assert_close(model.fit(ones, item_factors=start).item_factors, plain)


def test_log_confidence_of_a_small_weight_is_linear(weighted, start):
    linear = ALS(4, alpha=2.0).fit(weighted, item_factors=start)
    log = ALS(4, alpha=2e5, confidence="log", epsilon=1e5).fit(weighted, item_factors=start)
    torch.testing.assert_close(log.item_factors, linear.item_factors, rtol=1e-3, atol=1e-4)


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
    torch.testing.assert_close(model.fold_in_factors(positives)[:28], exact.user_factors[:28])


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
    torch.testing.assert_close(first.item_factors, again.item_factors, rtol=0, atol=0)
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
    folded = model.fold_in_factors(positives)
    torch.testing.assert_close(folded[:28], next_sweep.user_factors[:28])
    assert folded[28:].abs().max() == 0


@pytest.mark.parametrize("kind", [ALS, IALS])
def test_folding_in_weighted_rows_is_the_next_half_sweep(kind, weighted, start):
    model = kind(4, n_iterations=2).fit(weighted, item_factors=start)
    next_sweep = kind(4, n_iterations=1).fit(weighted, item_factors=model.item_factors)
    folded = model.fold_in_factors(weighted)
    torch.testing.assert_close(folded[:28], next_sweep.user_factors[:28])


def test_folded_users_are_scored_by_their_factors(positives, start):
    model = ALS(4, n_iterations=2).fit(positives, item_factors=start)
    new = Interactions([0, 0, 1], [3, 5, 2], n_users=2, n_items=N_ITEMS)
    expected = model.fold_in_factors(new) @ model.item_factors.T
    scores = model.fold_in(new).score_users(torch.tensor([1, 0]))
    torch.testing.assert_close(scores, expected[[1, 0]])


def test_a_folded_user_without_positives_is_the_mean_of_the_trained_users(positives, start):
    model = ALS(4, n_iterations=2).fit(positives, item_factors=start)
    new = Interactions([1], [2], n_users=2, n_items=N_ITEMS)
    mean = model.user_factors[:28].mean(dim=0)
    scores = model.fold_in(new).score_users(torch.tensor([0]))[0]
    torch.testing.assert_close(scores, model.item_factors @ mean)


@pytest.mark.parametrize(
    ("model", "extra", "linear", "damping"),
    [
        (ALS(4, alpha=2.0, reg=0.5), [2.0, 6.0], [3.0, 7.0], 0.5),
        (IALS(4, **IALS_SETTINGS), [1.0, 3.0], [1.0, 3.0], 0.05 * (4 + 0.3 * N_ITEMS) ** 0.8),
    ],
    ids=["als", "ials"],
)
def test_explained_parts_equal_the_formula_of_hu(model, extra, linear, damping, weighted, start):
    """Sec. 5: item . inverse . own positive, times its weight; the weights are 1 and 3."""
    model.fit(weighted, item_factors=start)
    user = Interactions([0, 0], [3, 5], n_users=1, n_items=N_ITEMS, weights=[1.0, 3.0])
    items = model.item_factors.numpy().astype(float)
    everywhere = 1.0 if isinstance(model, ALS) else 0.3
    left = everywhere * items.T @ items + damping * np.eye(4)
    left += extra[0] * np.outer(items[3], items[3]) + extra[1] * np.outer(items[5], items[5])
    inverse = np.linalg.inv(left)
    expected = [
        linear[0] * items[8] @ inverse @ items[3],
        linear[1] * items[8] @ inverse @ items[5],
    ]
    np.testing.assert_allclose(model.explain(8, user), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", [ALS, IALS])
def test_explained_parts_add_up_to_the_score_of_folding_in(kind, weighted, start):
    model = kind(4).fit(weighted, item_factors=start)
    user = Interactions([0, 0, 0], [3, 5, 9], n_users=1, n_items=N_ITEMS, weights=[1.0, 3.0, 0.5])
    scores = model.fold_in(user).score_users(torch.tensor([0]))[0]
    parts = torch.stack([model.explain(item, user).sum() for item in range(N_ITEMS)])
    torch.testing.assert_close(parts.float(), scores, atol=1e-5, rtol=1e-4)


def test_explaining_takes_row_0_alone(positives, start):
    model = ALS(4).fit(positives, item_factors=start)
    one = Interactions([0, 0], [3, 5], n_users=1, n_items=N_ITEMS)
    more = Interactions([0, 0, 1], [3, 5, 7], n_users=2, n_items=N_ITEMS)
    torch.testing.assert_close(model.explain(8, more), model.explain(8, one))


def test_a_user_without_positives_has_no_parts(positives, start):
    model = ALS(4).fit(positives, item_factors=start)
    nobody = Interactions([1], [2], n_users=2, n_items=N_ITEMS)
    assert model.explain(8, nobody).tolist() == []


@pytest.mark.parametrize("kind", [ALS, IALS])
def test_two_sweeps_from_where_three_ended_are_five_sweeps(kind, weighted, start):
    def sweeps(n, **starts):
        return kind(4, n_iterations=n, n_cg_steps=1).fit(weighted, **starts)

    five, three = sweeps(5, item_factors=start), sweeps(3, item_factors=start)
    two = sweeps(2, user_factors=three.user_factors, item_factors=three.item_factors)
    torch.testing.assert_close(two.item_factors, five.item_factors, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(two.user_factors, five.user_factors, rtol=1e-4, atol=1e-5)


def test_from_users_alone_the_items_are_solved_first(weighted, start):
    """Users and items swap their parts: then two sweeps begin with what is solved first here."""
    start[19] = 0  # who has no positives starts there
    rows, columns = weighted.pairs()
    swapped = Interactions(
        columns, rows, n_users=N_ITEMS, n_items=N_USERS, weights=weighted.weights
    )
    model = ALS(4, n_iterations=1).fit(swapped, user_factors=start)
    other = ALS(4, n_iterations=2).fit(weighted, item_factors=start)
    torch.testing.assert_close(model.fold_in_factors(swapped)[:19], other.item_factors[:19])


def test_users_without_positives_start_at_zero_whatever_is_given(weighted):
    """A fit gives them the mean of the others, which says nothing about items."""
    users = torch.randn(N_USERS, 4, generator=seeded(1))
    empty = users.index_fill(0, torch.tensor([28, 29]), 0.0)
    given, zero = (
        ALS(4, n_iterations=1, n_cg_steps=1).fit(weighted, user_factors=start)
        for start in (users, empty)
    )
    torch.testing.assert_close(given.item_factors, zero.item_factors)


def test_models_say_what_they_can_by_their_type(positives, start):
    model = ALS(4).fit(positives, item_factors=start)
    assert isinstance(model, FoldsIn)
    assert isinstance(model, Explains)
    assert isinstance(model, HasVectors)


def test_scores_are_products_of_the_vectors(positives, start):
    model = IALS(4).fit(positives, item_factors=start)
    users, items = torch.tensor([29, 3]), torch.arange(N_ITEMS)
    products = model.user_vectors(users) @ model.item_vectors(items).T
    torch.testing.assert_close(products, model.score_users(users))


def test_trained_users_and_items_are_those_with_a_positive(positives, start):
    model = ALS(4).fit(positives, item_factors=start)
    assert model.trained_users.tolist() == [True] * 28 + [False] * 2
    assert model.trained_items.tolist() == [True] * 19 + [False]


@pytest.mark.parametrize(
    "model",
    [
        ALS(3, alpha=2.0, confidence="log", epsilon=0.1, reg=3.0, n_iterations=2, n_cg_steps=4),
        IALS(3, unobserved_weight=2.0, reg=0.5, reg_power=0.3, n_iterations=2, n_cg_steps=4),
    ],
    ids=["als", "ials"],
)
def test_settings_build_an_equal_model(model, weighted, start):
    again = type(model)(**model.settings())
    assert again.settings() == model.settings()
    start = start[:, :3]
    model.fit(weighted, item_factors=start), again.fit(weighted, item_factors=start)
    torch.testing.assert_close(again.item_factors, model.item_factors)


def test_repr_shows_settings_and_sizes(positives):
    model = IALS(4, reg=0.5)
    assert repr(model).startswith("IALS(n_factors=4, unobserved_weight=0.2, reg=0.5, ")
    assert repr(model).endswith("): not fitted")
    assert repr(model.fit(positives)).endswith("): 30 users, 20 items")


def test_random_start_is_so_small_that_first_scores_are_near_0():
    """Users have one item each, and damping rules: item factors after a sweep are the start times
    (2 / reg) ** 2, and the start has a deviation of 0.1 / sqrt(16) = 0.025."""
    own = torch.arange(2_000)
    model = ALS(16, reg=1_000.0, n_iterations=1, generator=seeded())
    items = model.fit(Interactions(own, own)).item_factors
    assert (items / (2 / 1_000) ** 2).std().item() == pytest.approx(0.025, rel=0.02)


def test_folding_in_other_items_is_refused(positives):
    model = ALS(4, generator=seeded()).fit(positives)
    with pytest.raises(ValueError, match="20 items were trained on, got 3"):
        model.fold_in(Interactions([0], [2], n_users=1, n_items=3))


def test_factors_of_another_shape_are_refused(positives):
    with pytest.raises(ValueError, match=r"must have shape \(20, 5\), got \(20, 4\)"):
        ALS(5).fit(positives, item_factors=torch.zeros(20, 4))


def test_user_factors_of_another_shape_are_refused(positives):
    with pytest.raises(ValueError, match=r"user_factors must have shape \(30, 4\), got \(20, 4\)"):
        ALS(4).fit(positives, user_factors=torch.zeros(20, 4))


@pytest.mark.parametrize("name", ["user_factors", "item_factors"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_factors_that_are_not_finite_are_refused(name, value, positives):
    factors = torch.zeros(N_USERS if name == "user_factors" else N_ITEMS, 4)
    factors[7, 2] = value
    with pytest.raises(ValueError, match=f"{name} must be finite, got .* 1 of .0 rows, e.g. 7"):
        ALS(4).fit(positives, **{name: factors})


@pytest.mark.parametrize("name", ["n_factors", "alpha", "epsilon", "reg", "n_iterations"])
@pytest.mark.parametrize("value", [0, -1, np.inf, np.nan])
def test_settings_not_above_zero_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be above 0 and finite, got {value}"):
        ALS(**{name: value})


def test_no_conjugate_gradient_is_refused():
    with pytest.raises(ValueError, match="n_cg_steps must be above 0 and finite, got 0"):
        ALS(n_cg_steps=0)


@pytest.mark.parametrize("value", [-1, np.inf])
def test_unobserved_weight_out_of_range_is_refused(value):
    with pytest.raises(ValueError, match=f"unobserved_weight must be above 0 .* got {value}"):
        IALS(unobserved_weight=value)


def test_reg_power_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="reg_power must be finite, got nan"):
        IALS(reg_power=np.nan)


def test_another_confidence_is_refused():
    with pytest.raises(ValueError, match="confidence must be 'linear' or 'log', got 'square'"):
        ALS(confidence="square")


@pytest.mark.parametrize(
    "model",
    [
        ALS(4, reg=1e-30, generator=seeded()),
        ALS(4, alpha=1e30, generator=seeded()),
        ALS(4, reg=1e-30, alpha=1e30, n_cg_steps=3, generator=seeded()),
        IALS(4, reg=1e-30, unobserved_weight=1e-30, generator=seeded()),
    ],
    ids=["tiny reg", "huge alpha", "conjugate gradients", "ials"],
)
def test_a_system_that_float32_cannot_solve_is_named_with_what_to_do(model):
    """Two positives for four factors: without damping there are many answers."""
    pairs = Interactions([0, 1], [0, 1])
    with pytest.raises(ValueError, match=r"rows have no answer in float32, e.g. row .* raise reg"):
        model.fit(pairs)


@pytest.mark.parametrize(
    ("model", "cause"),
    [(ALS(4, alpha=1e39), "weights times alpha"), (IALS(4, reg=1e38, reg_power=9), "the damping")],
)
def test_settings_beyond_float32_are_named(model, cause, positives):
    with pytest.raises(ValueError, match=f"{cause}.* must be finite in float32"):
        model.fit(positives)


def test_no_positives_are_refused():
    with pytest.raises(ValueError, match="at least one positive is needed"):
        ALS().fit(Interactions(np.zeros(0, int), np.zeros(0, int), n_users=2, n_items=2))
