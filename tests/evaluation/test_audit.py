import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.audit import audit
from nbhelpers.evaluation.evaluate import evaluate_ranking, evaluate_unmasked
from nbhelpers.evaluation.faults.finding import CURES, Finding, report_of
from tests.evaluation.audited_worlds import ALSO, CLEAN, FORMS, PLANTED, Table

SEEDS = range(2)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CLEAN)
def test_clean_pipelines_raise_no_alarm(name, form, seed):
    given, settings = FORMS[form](CLEAN[name](seed))
    assert audit(*given, **settings).findings == ()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("plant", PLANTED, ids=[plant.__name__ for plant in PLANTED])
def test_planted_faults_are_found_and_nothing_else(plant, seed):
    given, settings = plant(seed)
    found = audit(*given, **settings)
    assert PLANTED[plant] in found.names
    assert set(found.names) - ALSO.get(plant, set()) == {PLANTED[plant]}


def test_every_kind_of_fault_has_been_planted():
    assert set(PLANTED.values()) == set(CURES)
    assert len(CURES) >= 10


TRAIN = pd.DataFrame(
    [(1, 7, 5.0, 30), (1, 8, 3.0, 50), (2, 7, 4.0, 10), (2, 8, 3.0, 20)],
    columns=["user_id", "item_id", "rating", "timestamp"],
)
TEST = TRAIN.assign(item_id=[9, 5, 9, 5], timestamp=[40, 60, 20, 19])


def test_rows_before_a_training_row_of_the_same_user_are_counted_by_hand():
    (found,) = audit(TRAIN, None, TEST).findings
    assert (found.name, found.count) == ("random_split", 2)  # 40 < 50, 19 < 20; 20 is a tie
    assert found.examples[0] == "user_id 1, item_id 9, timestamp 40"


def test_dates_are_times_too():
    dated = [part.assign(timestamp=pd.to_datetime(part.timestamp, unit="s", utc=True))
             for part in (TRAIN, TEST)]  # fmt: skip
    (found,) = audit(dated[0], None, dated[1]).findings
    assert found.count == 2


def test_times_of_others_are_a_note_unless_the_split_claims_one_moment():
    later = TEST.assign(timestamp=[50, 50, 20, 20])
    assert any("2 of 4 (50%)" in note for note in audit(TRAIN, None, later).notes)
    (found,) = audit(TRAIN, None, later, split="global_time").findings
    assert (found.name, found.count) == ("future_of_others", 2)


def test_low_ratings_that_were_seen_count_as_seen():
    rows = {"user_id": [1, 2], "item_id": [9, 5]}
    lists = pd.DataFrame(rows)
    later = TEST.assign(timestamp=99)
    assert audit(TRAIN, None, later, lists=lists).findings == ()
    (found,) = audit(TRAIN, None, later, lists=lists, seen=lists[:1]).findings
    assert (found.name, found.examples) == ("seen_listed", ("user_id 1, item_id 9",))


def test_plays_may_come_again_where_that_is_said():
    later = TRAIN.assign(timestamp=99)
    assert audit(TRAIN, None, later).names == ["test_in_training"]
    assert audit(TRAIN, None, later, lists=later, repeats_allowed=True).findings == ()


def test_results_of_an_evaluation_are_lists_and_means():
    shape = {"n_users": 3, "n_items": 6}
    train = Interactions([0, 0, 1, 2], [0, 1, 2, 3], **shape)
    test = Interactions([0, 1], [4, 5], **shape)
    model = Table(torch.arange(6.0).flip(0).repeat(3, 1))
    masked = evaluate_ranking(model, test, seen=train, k=2)
    assert audit(train, None, test, lists=masked, per_user=masked).findings == ()
    (found,) = audit(train, None, test, lists=evaluate_unmasked(model, test, k=2)).findings
    assert (found.name, found.count) == ("seen_listed", 2)


def test_evaluations_of_the_package_decide_no_tie_for_the_positive(rng):
    kind = torch.from_numpy(rng.choice(3, size=(50, 40), p=[0.7, 0.2, 0.1]))
    train, test = (
        Interactions(*(kind == part).nonzero(as_tuple=True), n_users=50, n_items=40)
        for part in (1, 2)
    )
    found = audit(train, None, test, evaluate=lambda m: evaluate_ranking(m, test, seen=train))
    assert found.findings == ()
    assert "ties_favor_positives" in found.checked


def test_indices_beyond_the_rows_of_a_model_are_unknown():
    class Small(Table):
        n_users, n_items = 2, 2

    train = Interactions([0, 1], [0, 1], n_users=2, n_items=3)
    test = Interactions([0, 1], [2, 0], n_users=2, n_items=3)
    (found,) = audit(train, None, test, Small(torch.ones(2, 2))).findings
    assert (found.name, found.count) == ("unknown_ids", 1)


def test_a_map_may_be_a_plain_dict():
    users, items = {1: 0, 2: 1}, {7: 0, 8: 1, 9: 2}
    (found,) = audit(TRAIN, None, TEST.assign(timestamp=99), users=users, items=items).findings
    assert (found.name, found.count) == ("unknown_ids", 2)
    assert found.examples == ("item_id 5",)


def test_ids_are_named_in_the_examples_of_maps_that_disagree():
    maps = [Vocabulary([7, 8]), {7: 1, 8: 0}]
    later = TEST[TEST.item_id == 9].assign(item_id=8, user_id=[3, 4])
    (found,) = audit(TRAIN, None, later, items=maps).findings
    assert found.examples == ("item_idx 0 is 7 and 8", "item_idx 1 is 8 and 7")


def test_what_was_not_passed_is_named():
    plain = [part.drop(columns="timestamp") for part in (TRAIN, TEST)]
    found = audit(plain[0], None, plain[1])
    assert found.findings == ()
    assert sum("not checked" in note for note in found.notes) == 3
    assert "random_split" not in found.checked


def test_order_of_rows_changes_nothing():
    given, settings = next(iter(PLANTED))(0)
    mixed = [part.sample(frac=1, random_state=3) for part in given[:3]]
    assert audit(*mixed, given[3], **settings).names == audit(*given, **settings).names


def test_arguments_stay_as_they_were():
    before = TRAIN.copy(), TEST.copy()
    audit(TRAIN, None, TEST.assign(item_id=TEST.item_id.astype(str)))
    audit(TRAIN, None, TEST)
    pd.testing.assert_frame_equal(TRAIN, before[0])
    pd.testing.assert_frame_equal(TEST, before[1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train": TRAIN.drop(columns="item_id")}, "train must have user_id and item_id"),
        ({"train": TRAIN[:0]}, "train must have at least one row"),
        ({"test": [1, 2]}, "test must be a DataFrame or Interactions, got list"),
        ({"split": "random"}, "split must be 'per_user' or 'global_time', got 'random'"),
        ({"features": np.zeros((3, 2))}, "pass items="),
        ({"per_user": pd.DataFrame({"hit": [1]})}, "per_user must have user_id or user_idx"),
        ({"item_metadata": pd.DataFrame({"title": ["A"]})}, "must have the column item_id"),
        ({"candidates": torch.zeros(3, 2)}, "a row for each user with a test row"),
        ({"test": TEST.rename(columns={"user_id": "user_idx", "item_id": "item_idx"})}, "or none"),
        (
            {"users": [1, 2], "evaluate": lambda model: 12.0},
            "evaluate must give a number between 0 and 1, got 12.0",
        ),
    ],
)
def test_wrong_arguments_are_refused(change, says):
    given = {"train": TRAIN, "valid": None, "test": TEST} | change
    if "users" in given:
        given["users"], given["items"] = Vocabulary([1, 2]), Vocabulary([5, 7, 8, 9])
    with pytest.raises(ValueError, match=says):
        audit(**given)


def test_report_shows_certain_findings_first_and_escapes_html():
    suspect = Finding("seen_listed", "perhaps", certain=False)
    fault = Finding("own_mapping", "a < b", count=2, examples=("x", "y"))
    report = report_of([suspect, fault], checked=["own_mapping"], notes=["n & m"])
    assert report.names == ["own_mapping", "seen_listed"]
    assert str(report).splitlines() == [
        "Audit: 1 fault, 1 suspect; 1 kind of fault looked for.",
        "fault own_mapping: a < b.",
        "  E.g. x; y.",
        f"  Cure: {CURES['own_mapping']}.",
        "suspect seen_listed: perhaps.",
        f"  Cure: {CURES['seen_listed']}.",
        "note: n & m",
    ]
    page = report._repr_html_()
    assert "a &lt; b" in page
    assert "seen_listed (suspect)" in page
    assert "<li>n &amp; m</li>" in page
    assert report.to_frame()[["name", "certain", "count"]].to_numpy().tolist() == [
        ["own_mapping", True, 2],
        ["seen_listed", False, 0],
    ]
