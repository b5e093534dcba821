import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.list_attributes import (
    attribute_mix,
    history_mix,
    intra_list_diversity,
    miscalibration,
)

# Four films: action and drama, drama, comedy, and one without a genre.
GENRES = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])


def test_diversity_by_hand():
    # 0 and 1 have one of two genres in common, 2 shares none with either: (1/2 + 1 + 1) / 3
    assert intra_list_diversity(torch.tensor([[0, 1, 2]]), GENRES).item() == pytest.approx(2.5 / 3)


def test_diversity_is_zero_when_all_have_the_same_genres():
    assert intra_list_diversity(torch.tensor([[0, 1, 2]]), np.ones((3, 2))).item() == 0.0


def test_diversity_does_not_depend_on_the_order():
    orders = torch.tensor(list(itertools.permutations([0, 1, 2])))
    values = intra_list_diversity(orders, GENRES)
    assert values.tolist() == pytest.approx([2.5 / 3] * 6)


def test_diversity_of_a_plain_loop():
    rng = np.random.default_rng(0)
    table = rng.random((30, 5)) < 0.4
    lists = rng.permuted(np.tile(np.arange(30), (8, 1)), axis=1)[:, :6]
    for items, value in zip(lists, intra_list_diversity(torch.tensor(lists), table), strict=True):
        sets = [set(np.flatnonzero(table[item])) for item in items]
        pairs = itertools.combinations([one for one in sets if one], 2)
        distances = [1 - len(one & two) / len(one | two) for one, two in pairs]
        assert value.item() == pytest.approx(np.mean(distances))


def test_empty_places_and_items_without_attributes_count_nowhere():
    lists = torch.tensor([[0, 1, -1], [0, 1, 3]])
    assert intra_list_diversity(lists, GENRES).tolist() == [0.5, 0.5]
    assert attribute_mix(lists, GENRES).tolist() == [[0.25, 0.75, 0.0]] * 2


def test_a_list_of_one_has_no_diversity_and_an_empty_one_no_mix():
    lists = torch.tensor([[0, -1], [-1, -1], [3, -1]])
    assert intra_list_diversity(lists, GENRES).isnan().all()
    assert attribute_mix(lists, GENRES)[0].tolist() == [0.5, 0.5, 0.0]
    assert attribute_mix(lists, GENRES)[1:].isnan().all()


def test_mix_of_a_history_is_that_of_the_same_items_as_a_list():
    history = Interactions([0, 0, 1, 1, 1], [0, 2, 0, 1, 3], n_users=3, n_items=4)
    lists = torch.tensor([[0, 2, -1], [0, 1, 3]])
    mix = history_mix(history, GENRES)
    torch.testing.assert_close(mix[:2], attribute_mix(lists, GENRES))
    assert mix[2].isnan().all()


def test_miscalibration_by_hand():
    listed, wanted = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]])
    by_hand = 0.5 * math.log(0.5 / 0.95) + 0.5 * math.log(0.5 / 0.05)
    assert miscalibration(listed, wanted, smoothing=0.1).item() == pytest.approx(by_hand)


def test_miscalibration_agrees_with_scipy():
    rng = np.random.default_rng(0)
    listed, wanted = rng.dirichlet(np.ones(6), 20), rng.dirichlet(np.ones(6), 20)
    expected = entropy(wanted, 0.99 * listed + 0.01 * wanted, axis=1)
    ours = miscalibration(torch.tensor(listed), torch.tensor(wanted))
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_miscalibration_is_zero_for_the_same_mix_and_bounded_for_none_in_common():
    mixes = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]])
    assert miscalibration(mixes, mixes).tolist() == pytest.approx([0.0, 0.0], abs=1e-12)
    apart = miscalibration(mixes, mixes.flip(0))
    assert apart.tolist() == pytest.approx([-math.log(0.01)] * 2)


@pytest.mark.parametrize("smoothing", [0.0, 1.0, -0.1])
def test_smoothing_outside_its_range_is_refused(smoothing):
    mix = torch.tensor([[0.5, 0.5]])
    with pytest.raises(ValueError, match="smoothing"):
        miscalibration(mix, mix, smoothing=smoothing)


def test_mixes_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        miscalibration(torch.ones(2, 3), torch.ones(3, 3))


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="n_attributes"):
        intra_list_diversity(torch.tensor([[0]]), [1, 0])
    with pytest.raises(ValueError, match=r"\(4, n_attributes\)"):
        history_mix(Interactions([0], [0], n_users=1, n_items=4), GENRES[:3])
    with pytest.raises(ValueError, match="outside 0 to 3"):
        attribute_mix(torch.tensor([[4]]), GENRES)
