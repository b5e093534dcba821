"""Plausible wrong answers to the exercises of the lab 06_popularity_bias."""


def ratio_without_minus_one(liked, listed, counts):
    mean_liked = sum(counts[film] for film in liked) / len(liked)
    return sum(counts[film] for film in listed) / len(listed) / mean_liked


def difference_of_means(liked, listed, counts):
    mean_liked = sum(counts[film] for film in liked) / len(liked)
    return sum(counts[film] for film in listed) / len(listed) - mean_liked


def share_of_the_list(liked, listed, counts):
    mean_listed = sum(counts[film] for film in listed) / len(listed)
    return 1 - sum(counts[film] for film in liked) / len(liked) / mean_listed


def sums_instead_of_means(liked, listed, counts):
    return sum(counts[film] for film in listed) / sum(counts[film] for film in liked) - 1


def decay_has_no_effect(wd):
    return 0.09


def the_wrong_way_round(wd):
    return {0.1: 0.35, 1.5: 0.08}[wd]


WRONG = {
    "my_popularity_lift": [
        ratio_without_minus_one,
        difference_of_means,
        share_of_the_list,
        sums_instead_of_means,
    ],
    "my_overlap": [decay_has_no_effect, the_wrong_way_round],
}


def context():
    """Overlaps as they were measured in the lab, in place of its training."""

    def try_decay(make_policy, wd, *, seed=42):
        make_policy(wd)
        return {"overlap": {0.1: 0.07, 1.5: 0.35}[wd]}

    return {"try_decay": try_decay, "LR": 0.1}
