import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.data.positives import positive_split
from nbhelpers.data.splits import last_like_out
from nbhelpers.evaluation.audit import audit
from nbhelpers.evaluation.evaluate import evaluate_ranking
from nbhelpers.evaluation.faults.finding import CURES
from nbhelpers.evaluation.leakage import FAULTS, NAMES_IN_AUDIT, run_pipeline
from nbhelpers.models.item_item import EASE

# The chain: eight people like even items, eight odd ones, and all of a group in the same order,
# 100 + 0, 2, ..., 18 or 100 + 1, 3, ..., 19. So the last like (18 or 19) is later, 16 or 17 is the
# test, 14 or 15 the validation, and 0 to 13 are in training.
N_PEOPLE = 16
CHAIN = pd.DataFrame(
    [
        (person, 100 + item, 5.0, 1_000 * step)
        for person in range(N_PEOPLE)
        for step, item in enumerate(range(person % 2, 20, 2))
    ],
    columns=["user_id", "item_id", "rating", "timestamp"],
)


class Fixed:
    """Among the items of their group, the same order for all: of those named, the first first."""

    def __init__(self, n_items, *best_first):
        self.scores = torch.zeros(n_items)
        for place, item in enumerate(best_first):
            if item < n_items:
                self.scores[item] = 10.0 - place

    def score_users(self, user_idx):
        others = (user_idx.unsqueeze(1) + torch.arange(len(self.scores))) % 2  # (batch, n_items)
        return self.scores - 100.0 * others


def fixed(*best_first):
    return lambda train, features, judge: Fixed(train.n_items, *best_first)


def popular(train, features, judge):
    model = Fixed(train.n_items)
    model.scores = torch.from_numpy(train.item_counts).float()
    return model


def run(fit, *faults, **settings):
    return run_pipeline(CHAIN, fit, faults=faults, k=1, rng=0, **settings)


def hits(of):
    return of.mean("hit_rate")


def drawn(seed=0):
    """A log without equal times, in any order."""
    log = make_ratings(60, 40, 1_500, rng=seed).ratings
    times = np.random.default_rng(seed).permutation(len(log))
    return log.assign(timestamp=times)


def ease(train, features, judge):
    return EASE(50.0).fit(train)


def test_the_clean_pipeline_is_the_plain_one_written_out():
    log = drawn()
    before, last = last_like_out(log, rng=9)
    parts = last_like_out(before, n_parts=3, rng=9)
    split = positive_split(parts, items=pd.DataFrame({"item_id": log.item_id.unique()}))
    model = EASE(50.0).fit(split.train)
    expected = evaluate_ranking(model, split.test, seen=split.seen, k=5)

    found = run_pipeline(log, ease, k=5, rng=0)

    assert found.faults == found.notes == ()
    pd.testing.assert_frame_equal(found.printed.per_user, expected.per_user)
    assert torch.equal(found.printed.lists, expected.lists)
    for part, wanted in zip(found.parts, parts, strict=True):
        assert part.to_numpy().tolist() == wanted.to_numpy().tolist()
    # And later: a loop over users, by id.
    ranks = {}
    for person in last[last.rating >= 4].user_id:
        (target,) = last[(last.user_id == person) & (last.rating >= 4)].item_id
        row = model.score_users(torch.from_numpy(split.users.encode([person])))[0].numpy()
        had = set(before[before.user_id == person].item_id)
        scores = {i: s for i, s in zip(split.items.ids, row, strict=True) if i not in had}
        ranks[person] = sum(s >= scores[target] for s in scores.values())
    assert found.later.per_user["rank"].tolist() == [ranks[person] for person in sorted(ranks)]


def test_of_the_chain_the_pipeline_looks_for_what_comes_last():
    right = run(fixed(16, 17, 18, 19))
    assert hits(right.printed) == hits(right.later) == 1.0
    assert hits(run(fixed(18, 19)).printed) == 0.0
    assert set(right.parts[2].item_id) == {116, 117}
    assert set(right.parts[1].item_id) == {114, 115}
    assert len(right.parts[0]) == N_PEOPLE * 7


def test_a_random_split_lets_popularity_know_items_that_nobody_has_had_yet():
    clean, leaky = run(popular), run(popular, "random_split")
    assert hits(clean.printed) == 0.0  # nobody has 116 or 117 in training
    assert hits(leaky.printed) == 1.0  # others had it already, and nobody has had 118 or 119
    for ours, theirs in zip(clean.parts, leaky.parts, strict=True):
        assert len(ours) == len(theirs)
        assert ours.user_id.value_counts().to_dict() == theirs.user_id.value_counts().to_dict()
    rows = pd.concat(leaky.parts)
    assert len(rows.drop_duplicates()) == N_PEOPLE * 9
    assert not rows.item_id.isin([118, 119]).any()
    assert (rows.merge(CHAIN).shape[0]) == len(rows)  # times are the true ones


def test_parts_with_their_own_maps_look_for_other_items():
    # By its own map the test has 116 as row 0, which is item 100 in training and masked there.
    leaky = run(fixed(0, 1), "own_mapping")
    assert hits(leaky.printed) == 0.0
    assert leaky.items[0].encode([100]).tolist() == leaky.items[2].encode([116]).tolist() == [0]
    assert [len(one) for one in leaky.items] == [14, 2, 2]
    # Without the mask, items 100 and 101 pass for 116 and 117.
    assert hits(run(fixed(0, 1), "own_mapping", "seen_unmasked").printed) == 1.0


def test_a_map_of_its_own_harms_the_number_and_not_the_model():
    clean = run_pipeline(drawn(), ease, rng=0)
    leaky = run_pipeline(drawn(), ease, faults=["own_mapping"], rng=0)
    pd.testing.assert_series_equal(clean.later.per_user["rank"], leaky.later.per_user["rank"])
    assert leaky.printed.mean("reciprocal_rank") != clean.printed.mean("reciprocal_rank")


def test_stopping_on_the_test_keeps_the_model_that_suits_the_test():
    def fit(train, features, judge):
        epochs = [Fixed(train.n_items, 14, 15), Fixed(train.n_items, 16, 17)]
        return max(epochs, key=judge)

    clean, leaky = run(fit), run(fit, "test_for_stopping")
    assert (hits(clean.printed), hits(leaky.printed)) == (0.0, 1.0)
    assert set(clean.parts[1].item_id) == {114, 115}
    assert set(leaky.parts[1].item_id) == {116, 117}
    assert leaky.notes == ()


def test_the_judge_has_the_faults_of_the_pipeline():
    asked = []

    def fit(train, features, judge):
        model = Fixed(train.n_items, 0, 1, 14, 15)
        asked.append(judge(model))
        return model

    run(fit)
    run(fit, "seen_unmasked")
    assert asked == [1.0, 0.0]  # first without what they had; then 100 stands before 114


def test_what_was_seen_takes_the_place_of_what_is_found():
    model = fixed(0, 1, 16, 17)
    clean, leaky = run(model), run(model, "seen_unmasked")
    assert (hits(clean.printed), hits(leaky.printed)) == (1.0, 0.0)
    pd.testing.assert_frame_equal(clean.later.per_user, leaky.later.per_user)


def flags(order):
    """1 for the items that the tests look for, in the order of a file."""
    items = np.array([100 + item for item in range(20)])[order]
    return pd.DataFrame({"item_id": items, "wanted": np.isin(items, [116, 117]).astype(float)})


def by_flag(train, features, judge):
    model = Fixed(train.n_items)
    model.scores = features[:, 0]
    return model


def test_metadata_by_row_describe_other_items():
    reverse = flags(np.arange(20)[::-1])
    clean = run(by_flag, metadata=reverse)
    leaky = run(by_flag, "misaligned_metadata", metadata=reverse)
    assert (hits(clean.printed), hits(leaky.printed)) == (1.0, 0.0)
    assert clean.features.flatten().nonzero().flatten().tolist() == [16, 17]
    assert leaky.features.flatten().nonzero().flatten().tolist() == [2, 3]
    assert leaky.notes == ()


def test_with_maps_of_its_own_training_still_describes_items_by_id():
    own = run(by_flag, "own_mapping", metadata=flags(np.arange(20)))
    assert own.features.shape == (14, 1)
    assert own.features.sum() == 0  # neither 116 nor 117 is in training


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("test_for_stopping", {}),
        ("misaligned_metadata", {}),
        ("misaligned_metadata", {"metadata": flags(np.arange(20))}),
    ],
)
def test_a_switch_that_does_nothing_says_so_and_changes_nothing(fault, settings):
    clean, switched = run(popular, **settings), run(popular, fault, **settings)
    assert clean.notes == ()
    (note,) = switched.notes
    assert note.startswith(fault)
    pd.testing.assert_frame_equal(clean.printed.per_user, switched.printed.per_user)
    pd.testing.assert_frame_equal(clean.parts[1], switched.parts[1])


def test_all_faults_can_be_on_together_in_any_order():
    settings = {"metadata": flags(np.arange(20)[::-1]), "rng": 0}
    one = run_pipeline(CHAIN, by_flag, faults=FAULTS, **settings)
    other = run_pipeline(CHAIN, by_flag, faults=FAULTS[::-1], **settings)
    assert one.faults == other.faults == FAULTS
    pd.testing.assert_frame_equal(one.printed.per_user, other.printed.per_user)


def test_users_and_lists_come_by_id():
    log = CHAIN.assign(user_id=CHAIN.user_id.map(lambda person: f"p{person:02}"))
    found = run_pipeline(log, fixed(16, 17), k=2, rng=0)
    assert found.per_user["user_id"].tolist() == [f"p{person:02}" for person in range(N_PEOPLE)]
    assert found.lists.iloc[[0, 2]].to_numpy().tolist() == [["p00", 116, 1], ["p01", 117, 1]]


def test_names_are_those_of_the_audit():
    assert len(FAULTS) == 5
    assert set(NAMES_IN_AUDIT) == set(FAULTS)
    assert set(NAMES_IN_AUDIT.values()) <= set(CURES)


def test_the_audit_names_each_of_the_five():
    log = drawn(3)
    years = pd.DataFrame({"item_id": np.sort(log.item_id.unique())[::-1]})
    years = years.assign(year=1900 + np.arange(len(years)))

    def fit(train, features, judge):
        return max((EASE(reg).fit(train) for reg in (10.0, 100.0)), key=judge)

    assert audit_of(run_pipeline(log, fit, metadata=years, rng=0)) == set()
    for fault in FAULTS:
        found = audit_of(run_pipeline(log, fit, metadata=years, faults=[fault], rng=0))
        brings = {"own_mapping": {"seen_listed", "unknown_ids"}}.get(fault, set())
        assert NAMES_IN_AUDIT[fault] in found
        assert found - brings == {NAMES_IN_AUDIT[fault]}


def audit_of(one):
    return set(audit(*one.parts, one.model, **one.evidence).names)


def test_the_log_is_left_alone():
    log = drawn()
    copy = log.copy()
    run_pipeline(log, ease, faults=["random_split", "own_mapping"], rng=0)
    pd.testing.assert_frame_equal(log, copy)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"faults": "own_mapping"}, "must be a list of names"),
        ({"faults": ["own_maping"]}, "must be a list of names"),
        ({"metadata": pd.DataFrame({"item_id": [1], "title": ["Up"]})}, "finite numbers"),
        ({"metadata": pd.DataFrame({"item_id": [1], "year": [np.nan]})}, "finite numbers"),
        ({"metadata": pd.DataFrame({"year": [1]})}, "item_id"),
    ],
)
def test_wrong_arguments_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        run_pipeline(CHAIN, popular, rng=0, **settings)


def test_an_item_without_metadata_is_refused():
    with pytest.raises(KeyError):
        run_pipeline(CHAIN, popular, metadata=flags(np.arange(19)), rng=0)
