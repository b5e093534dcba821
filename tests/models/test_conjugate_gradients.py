"""Conjugate gradients against exact solutions."""

import numpy as np
import pytest
import torch

from nbhelpers.models.conjugate_gradients import RowSystems, conjugate_gradients


def random_systems(n_rows=5, n_factors=4, dtype=torch.float64):
    """Symmetric positive definite matrices and right sides."""
    generator = torch.Generator().manual_seed(0)
    roots = torch.randn(n_rows, n_factors, n_factors, generator=generator, dtype=dtype)
    left = roots @ roots.transpose(1, 2) + torch.eye(n_factors, dtype=dtype)
    return left, torch.randn(n_rows, n_factors, generator=generator, dtype=dtype)


def product_by(left):
    return lambda x: (left @ x.unsqueeze(2)).squeeze(2)


def test_two_steps_by_hand():
    """The example of A = [[4, 1], [1, 3]], b = (1, 2), start (2, 1): 1/11 and 7/11."""
    left = torch.tensor([[[4.0, 1.0], [1.0, 3.0]]], dtype=torch.float64)
    right, start = torch.tensor([[1.0, 2.0]]).double(), torch.tensor([[2.0, 1.0]]).double()
    first = conjugate_gradients(product_by(left), right, start=start, n_steps=1)
    # residual (-8, -3), length 73, its product (-35, -17) with curvature 331
    np.testing.assert_allclose(first, [[2 - 8 * 73 / 331, 1 - 3 * 73 / 331]])
    second = conjugate_gradients(product_by(left), right, start=start, n_steps=2)
    np.testing.assert_allclose(second, [[1 / 11, 7 / 11]])


def test_as_many_steps_as_factors_solve_each_row():
    left, right = random_systems()
    start = torch.ones_like(right)
    found = conjugate_gradients(product_by(left), right, start=start, n_steps=4)
    for row in range(5):
        expected = np.linalg.solve(left[row].numpy(), right[row].numpy())
        np.testing.assert_allclose(found[row], expected, rtol=1e-8)


def test_rows_do_not_touch_each_other():
    left, right = random_systems()
    start = torch.zeros_like(right)
    together = conjugate_gradients(product_by(left), right, start=start, n_steps=2)
    for row in range(5):
        one = slice(row, row + 1)
        alone = conjugate_gradients(product_by(left[one]), right[one], start=start[one], n_steps=2)
        torch.testing.assert_close(alone, together[one])


def test_no_step_leads_away_from_the_answer():
    left, right = random_systems(dtype=torch.float32)
    exact = torch.linalg.solve(left, right.unsqueeze(2)).squeeze(2)

    def gap(n_steps):
        start = torch.zeros_like(right)
        way = conjugate_gradients(product_by(left), right, start=start, n_steps=n_steps) - exact
        return (way * product_by(left)(way)).sum(dim=1)  # the quadratic's excess

    gaps = torch.stack([gap(n_steps) for n_steps in range(5)])
    assert (gaps.diff(dim=0) < 0).all()


@pytest.mark.parametrize("n_steps", [1, 3, 50])
def test_a_solved_row_stays_where_it_is(n_steps):
    left, right = random_systems(dtype=torch.float32)
    right[1] = 0
    start = torch.zeros_like(right)
    found = conjugate_gradients(product_by(left), right, start=start, n_steps=n_steps)
    assert found[1].tolist() == [0.0] * 4
    assert found.isfinite().all()


def test_start_is_not_changed():
    left, right = random_systems()
    start = torch.ones_like(right)
    conjugate_gradients(product_by(left), right, start=start, n_steps=3)
    assert torch.equal(start, torch.ones_like(right))


def test_no_step_stays_at_the_start():
    left, right = random_systems()
    start = torch.ones_like(right)
    assert torch.equal(conjugate_gradients(product_by(left), right, start=start, n_steps=0), start)


WEIGHTS = torch.tensor([[2.0, 0.5, 4.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).double()


@pytest.fixture
def systems():
    """Three rows with three, one and no positive."""
    generator = torch.Generator().manual_seed(1)
    others = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    own = others[torch.tensor([[0, 2, 5], [3, 0, 0], [0, 0, 0]])]
    own[1, 1:] = own[2] = 0
    damping = torch.tensor([[0.5], [1.0], [2.0]], dtype=torch.float64)
    shared = 0.7 * others.T @ others
    return RowSystems(shared, own, square=WEIGHTS, linear=WEIGHTS + 1, damping=damping)


def matrix(systems, row):
    loop = systems.shared + systems.damping[row] * torch.eye(4, dtype=torch.float64)
    for weight, one in zip(WEIGHTS[row], systems.own[row], strict=True):
        loop = loop + weight * torch.outer(one, one)
    return loop


def right(systems, row):
    pairs = zip(WEIGHTS[row] + 1, systems.own[row], strict=True)
    return sum(weight * one for weight, one in pairs)


def test_product_needs_no_matrix_and_equals_it(systems):
    x = torch.arange(12.0, dtype=torch.float64).view(3, 4)
    expected = torch.stack([matrix(systems, row) @ x[row] for row in range(3)])
    torch.testing.assert_close(systems.product(x), expected)


def test_both_ways_solve_the_systems(systems):
    expected = torch.stack(
        [torch.linalg.solve(matrix(systems, row), right(systems, row)) for row in range(3)]
    )
    torch.testing.assert_close(systems.solve(), expected)
    near = systems.near(torch.ones_like(expected), n_steps=4)
    torch.testing.assert_close(near, expected)


def test_a_row_without_a_definite_matrix_has_no_answer(systems):
    damping = torch.tensor([[0.5], [-100.0], [2.0]], dtype=torch.float64)
    answers = systems._replace(damping=damping).solve()
    assert answers.isfinite().all(dim=1).tolist() == [True, False, True]
