import numpy as np
import pytest

from nbhelpers.evaluation.items_found import (
    ItemsFound,
    MoreItemsFound,
    items_per_thousand,
    more_items_per_thousand,
)
from nbhelpers.evaluation.statistics import bootstrap_interval


def test_hits_of_four_lists_by_hand():
    found = items_per_thousand([0, 2, 1, 0])  # 3 items in 4 lists
    assert (found.per_thousand, found.n_lists, found.level) == (750, 4, 0.95)
    low, high = bootstrap_interval([0, 2, 1, 0])
    assert found.interval == (1000 * low, 1000 * high)


def test_lists_without_doubt_have_an_interval_of_no_width():
    found = items_per_thousand([1] * 10)
    assert str(found) == (
        "1,000 items found in a thousand lists (1,000 to 1,000, 95% interval over 10 lists)"
    )


def test_hundredth_of_hit_rate_is_one_list_in_a_hundred():
    first, second = np.zeros(1_000), np.zeros(1_000)
    first[:110], second[:100] = 1, 1
    more = more_items_per_thousand(first, second)
    assert more.per_thousand == pytest.approx(10)
    assert str(more).startswith("10 more items found in a thousand lists (")
    assert str(more).endswith("one more in every 100 lists")


def test_fewer_items_turn_the_sentence():
    worse = more_items_per_thousand([0] * 40, [1] * 20 + [0] * 20)
    assert worse.per_thousand == -500
    low, high = (abs(end) for end in worse.interval)
    assert str(worse) == (
        f"500 fewer items found in a thousand lists ({high:.0f} to {low:.0f} fewer, "
        f"95% interval over 40 lists): one fewer in every 2 lists"
    )


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            ItemsFound(1, (0.4, 2.56), 3_000, 0.9),
            "1 item found in a thousand lists (0.4 to 2.6, 90% interval over 3,000 lists)",
        ),
        (
            MoreItemsFound(3.0, (-2.0, 8.0), 500, 0.95),
            "Undecided: a thousand lists may find anything from 2 fewer items to 8 more items "
            "(95% interval over 500 lists)",
        ),
        (
            MoreItemsFound(2_500.0, (2_000.0, 3_000.0), 500, 0.95),
            "2,500 more items found in a thousand lists (2,000 to 3,000 more, 95% interval over "
            "500 lists): about 2.5 more in every list",
        ),
        (
            MoreItemsFound(1.0, (0.5, 1.5), 90_000, 0.99),
            "1 more item found in a thousand lists (0.5 to 1.5 more, 99% interval over "
            "90,000 lists): one more in every 1,000 lists",
        ),
    ],
)
def test_what_was_found_is_said_in_words(found, sentence):
    assert str(found) == sentence


def test_nothing_found_anywhere_is_undecided():
    assert str(more_items_per_thousand([0, 0], [0, 0])).startswith("Undecided")
    assert str(items_per_thousand([0, 0])).startswith("0 items found")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: items_per_thousand([]), r"for each list is needed, got shape \(0,\)"),
        (lambda: items_per_thousand([[1, 0]]), r"got shape \(1, 2\)"),
        (lambda: items_per_thousand([1, -1, np.nan]), "2 lists have hits .* e.g. -1.0"),
        (lambda: more_items_per_thousand([1, 0], [1, np.inf]), "1 lists have hits .* e.g. inf"),
        (lambda: more_items_per_thousand([1, 0], [1]), r"got shapes \(2,\), \(1,\)"),
        (lambda: items_per_thousand([1, 0], level=0), "level must lie between 0 and 1"),
    ],
)
def test_bad_hits_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
