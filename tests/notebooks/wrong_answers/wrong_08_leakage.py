"""Plausible wrong answers to the exercises of the lab 08_leakage."""

from functools import partial

from nbhelpers.evaluation.leakage import FAULTS


def last_row_of_anybody(train, valid, test, lists):
    faults = _rest(train, valid, test, lists)
    if min(time for *_, time in test) < max(time for *_, time in train):
        faults.add("random_split")
    return faults


def earlier_than_the_first_row(train, valid, test, lists):
    faults = _rest(train, valid, test, lists)
    for user, _, time in test:
        if time < min(row[2] for row in train if row[0] == user):
            faults.add("random_split")
    return faults


def items_without_their_users(train, valid, test, lists):
    faults = _late(train, test)
    if {item for _, item, _ in test} & {item for _, item, _ in valid}:
        faults.add("test_for_stopping")
    had = {item for _, item, _ in train}
    if any(item in had for items in lists.values() for item in items):
        faults.add("seen_unmasked")
    return faults


def first_fault_only(train, valid, test, lists):
    faults = _late(train, test) or _rest(train, valid, test, lists)
    return set(sorted(faults)[:1])


def _late(train, test):
    latest = {}
    for user, _, time in train:
        latest[user] = max(time, latest.get(user, time))
    early = any(time < latest.get(user, time) for user, _, time in test)
    return {"random_split"} if early else set()


def _rest(train, valid, test, lists):
    faults = set()
    if {row[:2] for row in test} & {row[:2] for row in valid}:
        faults.add("test_for_stopping")
    had = {row[:2] for row in train}
    if any((user, item) in had for user, items in lists.items() for item in items):
        faults.add("seen_unmasked")
    return faults


def nothing_is_wrong(run):
    return set()


def everything_that_raises_a_number(run):
    return {"random_split", "test_for_stopping"}


def by_the_number_alone(run):
    return {"random_split"} if run.printed.mean("hit_rate") > 0.25 else set()


WRONG = {
    "my_faults": [
        last_row_of_anybody,
        earlier_than_the_first_row,
        items_without_their_users,
        first_fault_only,
    ],
    "my_diagnosis": [nothing_is_wrong, everything_that_raises_a_number, by_the_number_alone],
}


class Scores:
    def __init__(self, value):
        self.value = value

    def mean(self, metric):
        return self.value


class Run:
    def __init__(self, faults, hit_rate):
        self.faults, self.printed = faults, Scores(hit_rate)


def passes(fault, run):
    return fault not in run.faults


def context():
    """Runs with their faults and hit rates, in place of the lab's training."""
    quiet = [Run((), 0.17), Run(("misaligned_metadata",), 0.17)]
    flattered = [Run(("random_split",), 0.35), Run(("test_for_stopping",), 0.18)]
    handed_over = Run(("random_split", "seen_unmasked", "misaligned_metadata"), 0.15)
    pipelines = [*quiet, *flattered, *quiet, *quiet, *quiet, *quiet]
    small_tests = [partial(passes, fault) for fault in FAULTS]
    return {"pipelines": pipelines, "handed_over": handed_over, "small_tests": small_tests}
