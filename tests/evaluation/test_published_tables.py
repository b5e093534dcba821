"""What twelve answers leave of a published table."""

import pytest

from nbhelpers.evaluation.published_tables import QUESTIONS, VERDICTS, judge

ALL = {question.key: "yes" for question in QUESTIONS}


def test_there_are_twelve_questions_with_names_of_their_own():
    assert len(QUESTIONS) == len(ALL) == 12
    assert all(question.asks.endswith("?") for question in QUESTIONS)


def test_nothing_speaks_against_a_table_with_twelve_yes():
    assert judge(ALL).verdict == "nothing speaks against it"


def test_what_is_not_said_is_asked_for():
    found = judge({key: answer for key, answer in ALL.items() if key != "seeds"})
    assert found.verdict == "nothing speaks against it yet: ask for what is not said"
    assert found.keys_of("not said") == ["seeds"]


@pytest.mark.parametrize(
    ("noes", "about"),
    [
        (["meaning"], "difference"),
        (["interval", "budget"], "race"),
        (["budget", "meaning", "selection"], "number"),
    ],
)
def test_the_weightiest_no_decides(noes, about):
    found = judge(ALL | dict.fromkeys(noes, "no"))
    assert found.verdict == VERDICTS[about]
    assert sorted(found.keys_of("no")) == sorted(noes)


def test_a_no_weighs_more_than_silence():
    assert judge({"users": "no"}).verdict == VERDICTS["difference"]


def test_it_prints_each_question_with_its_answer_under_what_it_is_about():
    lines = str(judge({"order": "no"})).splitlines()
    assert lines[1] == "      no  Are the test rows later than the training rows, as in use?"
    assert lines[2].startswith("not said  Do the lists")
    assert lines[-1] == f"Verdict: {VERDICTS['number']}."
    headings = [line for line in lines if line.startswith("The ")]
    assert headings == ["The number", "The race", "The difference"]
    assert [lines.index(heading) for heading in headings] == [0, 6, 10]
    assert len(lines) == 12 + 3 + 1


def test_it_shows_as_a_table():
    assert "<table" in judge({})._repr_html_()


def test_an_unknown_question_is_refused():
    with pytest.raises(KeyError, match="no question is called 'seed': choose among order"):
        judge({"seed": "yes"})


def test_an_answer_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="one of yes, no, not said, got 'maybe'"):
        judge({"seeds": "maybe"})
