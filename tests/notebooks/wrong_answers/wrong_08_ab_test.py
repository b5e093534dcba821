"""Plausible wrong answers to the exercises of the lab 08_ab_test."""

from scipy import stats


def takes_half_for_granted(n_a, n_b, share_a):
    return stats.chi2.sf((n_a - n_b) ** 2 / (n_a + n_b), 1)


def adds_up_one_group_only(n_a, n_b, share_a):
    planned = share_a * (n_a + n_b)
    return stats.chi2.sf((n_a - planned) ** 2 / planned, 1)


def divides_by_what_was_observed(n_a, n_b, share_a):
    planned_a, planned_b = share_a * (n_a + n_b), (1 - share_a) * (n_a + n_b)
    return stats.chi2.sf((n_a - planned_a) ** 2 / n_a + (n_b - planned_b) ** 2 / n_b, 1)


def takes_the_lower_tail(n_a, n_b, share_a):
    planned_a, planned_b = share_a * (n_a + n_b), (1 - share_a) * (n_a + n_b)
    chi_square = (n_a - planned_a) ** 2 / planned_a + (n_b - planned_b) ** 2 / planned_b
    return stats.chi2.cdf(chi_square, 1)


def _diagnose(report, *, unbalanced, peeked):
    people = report["people in A"] + report["people in B"]
    if unbalanced(report["people in A"], report["people in B"]):
        return "sample ratio"
    if report["observations"] != people:
        return "unit"
    return "peeking" if peeked(report["p by day"], report["planned days"]) else "sound"


def _chance(n_a, n_b):
    return stats.chi2.sf((n_a - n_b) ** 2 / (n_a + n_b), 1)


def _stopped_early(p_by_day, planned_days):
    return len(p_by_day) < planned_days


def judges_the_shares_by_eye(report):
    return _diagnose(
        report,
        unbalanced=lambda n_a, n_b: not 0.45 < n_a / (n_a + n_b) < 0.55,
        peeked=_stopped_early,
    )


def calls_groups_unbalanced_at_five_percent(report):
    return _diagnose(
        report, unbalanced=lambda n_a, n_b: _chance(n_a, n_b) < 0.05, peeked=_stopped_early
    )


def takes_an_early_small_p_for_peeking(report):
    return _diagnose(
        report,
        unbalanced=lambda n_a, n_b: _chance(n_a, n_b) < 0.001,
        peeked=lambda p_by_day, planned_days: min(p_by_day) < 0.05,
    )


WRONG = {
    "my_sample_ratio_p": [
        takes_half_for_granted,
        adds_up_one_group_only,
        divides_by_what_was_observed,
        takes_the_lower_tail,
    ],
    "my_diagnosis": [
        judges_the_shares_by_eye,
        calls_groups_unbalanced_at_five_percent,
        takes_an_early_small_p_for_peeking,
    ],
}
