import pytest
import torch

from nbhelpers.core.coverage import (
    fingerprints,
    require_same_catalog,
    require_same_items,
    trained_rows,
)
from nbhelpers.core.recommender import HasSizes, KnowsIds, KnowsTraining
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary

USERS, ITEMS = Vocabulary([10, 20, 30]), Vocabulary([1, 2])
DATA = Interactions([0], [0], users=USERS, items=ITEMS)


class Model:
    """Sizes and whatever else a model says of itself."""

    def __init__(self, n_users=3, n_items=2, **said):
        vars(self).update(n_users=n_users, n_items=n_items, **said)

    def score_users(self, user_idx):
        raise NotImplementedError


def test_a_model_says_what_it_knows_by_having_it():
    assert isinstance(Model(), HasSizes)
    assert not isinstance(Model(), KnowsTraining)
    assert isinstance(Model(trained_users=0, trained_items=0), KnowsTraining)
    assert not isinstance(Model(trained_users=0), KnowsTraining)
    assert isinstance(Model(user_fingerprint=None, item_fingerprint=None), KnowsIds)


def test_rows_of_training_are_cut_to_the_data():
    model = Model(
        trained_users=torch.tensor([True, False, True, True]), trained_items=torch.ones(2)
    )
    users, items = trained_rows(model, n_users=3, n_items=2)
    assert users.tolist() == [True, False, True]
    assert items.tolist() == [True, True]


def test_a_model_that_says_nothing_of_its_training_serves_every_row():
    users, items = trained_rows(Model(), n_users=2, n_items=1)
    assert users.tolist() == [True, True]
    assert items.tolist() == [True]


@pytest.mark.parametrize("sizes", [(3, 2), (4, 3), (3, 3)])
def test_data_of_the_same_sizes_or_without_the_unknown_rows_fit(sizes):
    require_same_catalog(Model(*sizes), DATA)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((2, 2), "2 users were trained on, got 3"),
        ((5, 2), "5 users were trained on, got 3"),
        ((3, 1), "1 items were trained on, got 2"),
        ((3, 4), "4 items were trained on, got 2"),
    ],
)
def test_data_of_other_sizes_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        require_same_catalog(Model(*sizes), DATA)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ((Vocabulary([10, 20, 31]), ITEMS), "trained on other user ids"),
        ((USERS, Vocabulary([1, 3])), "trained on other item ids"),
        ((USERS, Vocabulary(["1", "2"])), "trained on other item ids"),
    ],
)
def test_data_of_other_ids_are_refused_at_equal_sizes(ids, message):
    user_ids, item_ids = ids
    model = Model(user_fingerprint=user_ids.fingerprint, item_fingerprint=item_ids.fingerprint)
    with pytest.raises(ValueError, match=message):
        require_same_catalog(model, DATA)


def test_ids_that_either_side_does_not_know_are_not_compared():
    require_same_catalog(Model(user_fingerprint=None, item_fingerprint=None), DATA)
    model = Model(user_fingerprint="other", item_fingerprint="other")
    require_same_catalog(model, Interactions([0], [0], n_users=3, n_items=2))


def test_users_of_any_number_may_be_folded_in():
    require_same_items(Model(n_users=99, user_fingerprint="x", item_fingerprint=None), 2, ITEMS)


def test_fingerprints_are_those_of_the_vocabularies():
    assert fingerprints(DATA) == (USERS.fingerprint, ITEMS.fingerprint)
    assert fingerprints(Interactions([0], [0], n_users=3, n_items=2)) == (None, None)
