import pandas as pd
import pytest

from nbhelpers.data.positives import positive_split

FILMS = pd.DataFrame({"item_id": [7, 8, 9, 10], "title": list("ABCD")})


def rows(*triples):
    return pd.DataFrame(triples, columns=["user_id", "item_id", "rating"])


TRAIN = rows((1, 7, 5.0), (1, 8, 2.0), (2, 7, 4.0), (3, 8, 1.0))
VALID = rows((1, 9, 4.0), (2, 8, 3.0), (3, 7, 5.0))
TEST = rows((1, 10, 4.0), (2, 9, 5.0), (2, 10, 1.0), (4, 7, 5.0))


def pairs(interactions):
    frame = interactions.to_frame()
    return set(zip(frame["user_id"], frame["item_id"], strict=True))


def test_positives_and_masks_by_hand():
    split = positive_split([TRAIN, VALID, TEST], items=FILMS)
    assert pairs(split.train) == {(1, 7), (2, 7)}
    assert pairs(split.valid) == {(1, 9)}  # user 3 has no positive in training
    assert pairs(split.test) == {(1, 10), (2, 9)}  # nor has user 4
    assert pairs(split.seen_by_valid) == {(1, 7), (1, 8), (2, 7), (3, 8)}
    assert pairs(split.seen) == pairs(split.seen_by_valid) | {(1, 9), (2, 8), (3, 7)}
    assert pairs(split.known) == {(1, 7), (2, 7), (1, 9)}
    assert split.n_cold == 2


def test_all_parts_share_users_and_catalog():
    split = positive_split([TRAIN, VALID, TEST], items=FILMS)
    assert split.users.ids.tolist() == [1, 2, 3, 4]
    assert split.items.ids.tolist() == [7, 8, 9, 10]
    for part in (split.train, split.valid, split.test, split.seen):
        assert (part.n_users, part.n_items) == (4, 4)


def test_another_threshold():
    split = positive_split([TRAIN, VALID, TEST], items=FILMS, least=5)
    assert pairs(split.train) == {(1, 7)}
    assert split.n_cold == 3


def test_ratings_are_kept_as_weights():
    frame = positive_split([TRAIN, VALID, TEST], items=FILMS).train.to_frame()
    assert frame["weight"].tolist() == [5, 4]


def test_times_are_kept_where_all_parts_have_them():
    timed = [part.assign(timestamp=range(len(part))) for part in (TRAIN, VALID, TEST)]
    assert positive_split(timed, items=FILMS).train.timestamps.tolist() == [0, 2]
    assert positive_split([*timed[:2], TEST], items=FILMS).train.timestamps is None


def test_bad_parts_are_refused():
    with pytest.raises(ValueError, match="three parts are needed, train, valid and test, got 2"):
        positive_split([TRAIN, TEST], items=FILMS)
    with pytest.raises(ValueError, match="the valid part has no rating of 4 or more"):
        positive_split([TRAIN, TRAIN[1:2], TEST], items=FILMS)
    with pytest.raises(ValueError, match=r"\['rating'\] are required"):
        positive_split([TRAIN, VALID.drop(columns="rating"), TEST], items=FILMS)
    with pytest.raises(KeyError, match="10"):
        positive_split([TRAIN, VALID, TEST], items=FILMS[:3])
