import math

import numpy as np
import pytest
import torch

from nbhelpers.teaching.exercises import check_answer

CASES = [((2, 3), 6), ((0, 5), 0)]


def test_untouched_stub_is_not_an_error(capsys):
    check_answer(lambda a, b: None, CASES)
    assert capsys.readouterr().out == "not attempted yet\n"


def test_right_answer_counts_its_cases(capsys):
    check_answer(lambda a, b: a * b, CASES)
    assert capsys.readouterr().out == "all 2 cases pass\n"


def test_first_wrong_case_says_what_was_expected():
    def my_sum(a, b):
        return a + b

    with pytest.raises(ValueError, match=r"case 1 of 2: my_sum\(2, 3\) should give 6, got 5"):
        check_answer(my_sum, CASES)


def test_none_after_a_right_case_is_wrong():
    with pytest.raises(ValueError, match=r"case 2 of 2: .* got None"):
        check_answer(lambda a, b: 6 if a else None, CASES)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (0.1 + 0.2, 0.3),
        (torch.tensor([1.0, 2.0]), [1.0, 2.0]),
        (np.array([1, 2]), torch.tensor([1, 2])),
        ("x", "x"),
        (["a", "b"], ["a", "b"]),
        (True, True),
        (math.nan, math.nan),
    ],
)
def test_equal_values_of_many_kinds_pass(got, expected):
    check_answer(lambda: got, [((), expected)])


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (0.31, 0.3),
        ([1.0, 2.0], [1.0]),
        ([[1.0, 2.0]], [1.0, 2.0]),
        ("x", "y"),
        (1, True),
        (["a"], ["b"]),
        ("6", 6),
    ],
)
def test_unequal_values_fail(got, expected):
    with pytest.raises(ValueError, match="should give"):
        check_answer(lambda: got, [((), expected)])
