import math

import numpy as np
import pandas as pd
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from nbhelpers.teaching.exercises import WrongAnswerError, check_answer, satisfies

CASES = [((2, 3), 6), ((0, 5), 0)]


def stub(a, b): ...


def stub_with_docstring(a, b):
    """Multiply."""


@pytest.mark.parametrize("untouched", [stub, stub_with_docstring, ...])
def test_untouched_stub_is_not_an_error(untouched, capsys):
    check_answer(untouched, CASES)
    assert capsys.readouterr().out == "not attempted yet\n"


def test_forgotten_return_is_named():
    def forgets(a, b):
        a * b

    with pytest.raises(WrongAnswerError, match=r"case 1 of 2: forgets\(2, 3\) gave None: .*return"):
        check_answer(forgets, CASES)


def test_answer_that_prints_instead_of_returning_is_told(capsys):
    def prints(a, b):
        print(a * b)

    with pytest.raises(WrongAnswerError, match="is a `return` missing"):
        check_answer(prints, CASES)


def test_exception_comes_with_its_case_and_without_a_traceback():
    def divides(a, b):
        return a * b / (b - 5) * -2 if b == 5 else a * b

    with pytest.raises(WrongAnswerError) as caught:
        check_answer(divides, CASES)
    wanted = "case 2 of 2: divides(0, 5) raised ZeroDivisionError: division by zero"
    assert str(caught.value) == wanted
    assert caught.value._render_traceback_() == [wanted]
    assert caught.value.__suppress_context__


def test_ipython_shows_one_line():
    shell = InteractiveShell()
    shell.user_ns.update(check_answer=check_answer, cases=CASES)
    lines = []
    shell._showtraceback = lambda kind, value, shown: lines.extend(shown)
    shell.run_cell("check_answer(lambda a, b: a + b, cases)")
    assert lines == ["case 1 of 2: <lambda>(2, 3) should give 6, got 5"]


def test_float_is_written_as_a_number():
    with pytest.raises(WrongAnswerError, match=r"got 0\.3$"):
        check_answer(lambda: np.float64(0.1 + 0.2), [((), 0.5)])
    with pytest.raises(WrongAnswerError, match=r"should give \[0\.5, 1\], got \[0\.25, 1\]$"):
        check_answer(lambda: [np.float64(0.25), 1], [((), [0.5, 1])])


def test_long_values_are_cut():
    with pytest.raises(WrongAnswerError) as caught:
        check_answer(lambda: list(range(10_000)), [((), "x" * 10_000)])
    assert len(str(caught.value)) < 400


def test_expectation_that_many_answers_meet(capsys):
    below = satisfies("an error below 0.9", lambda mse: mse < 0.9)
    check_answer(lambda: 0.8, [((), below)])
    assert capsys.readouterr().out == "the case passes\n"
    for wrong in (0.95, "0.8", [0.8, 0.8]):
        with pytest.raises(WrongAnswerError, match=r"should give an error below 0\.9, got"):
            check_answer(lambda wrong=wrong: wrong, [((), below)])


def test_value_in_place_of_a_function(capsys):
    check_answer("B", [((), "B")])
    assert capsys.readouterr().out == "the case passes\n"
    with pytest.raises(WrongAnswerError, match="your answer: it should give 'B', got 'C'"):
        check_answer("C", [((), "B")])


def test_right_answer_counts_its_cases(capsys):
    check_answer(lambda a, b: a * b, CASES)
    assert capsys.readouterr().out == "all 2 cases pass\n"


def test_first_wrong_case_says_what_was_expected():
    def my_sum(a, b):
        return a + b

    with pytest.raises(ValueError, match=r"case 1 of 2: my_sum\(2, 3\) should give 6, got 5"):
        check_answer(my_sum, CASES)


def test_none_after_a_right_case_is_wrong():
    with pytest.raises(ValueError, match=r"case 2 of 2: .* gave None"):
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
        (np.True_, True),
        (torch.tensor(True), True),
        (np.int64(3), 3),
        (torch.tensor(0.5), 0.5),
        (np.array(["a", "b"]), ["a", "b"]),
        ((1, [2.0, 3.0]), (1, [2.0, 3.0])),
        ([torch.tensor(1.0), torch.tensor(2.0)], [1, 2]),
        ({"a": np.float64(1)}, {"a": 1.0}),
        ({3, 4}, {4, 3}),
        (1e9 + 1, 1e9),
        (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": [1]})),
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
        (True, 1),
        (np.False_, True),
        ([True, False], [1, 0]),
        (pd.DataFrame({"a": [1.0]}), [[1.0]]),
        (pd.DataFrame({"b": [1.0]}), pd.DataFrame({"a": [1.0]})),
        ({"a": 1}, {"b": 1}),
        ([3, 4], {3, 4}),
        ([[1], [1, 2]], [[1], [1, 3]]),
        (np.array([0.4, 0.5]) != np.array([0.4, 0.6]), [0.0, 1.0]),
    ],
)
def test_unequal_values_fail(got, expected):
    with pytest.raises(ValueError, match="should give"):
        check_answer(lambda: got, [((), expected)])
