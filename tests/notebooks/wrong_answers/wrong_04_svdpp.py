"""Wrong answers to the exercises of the lab on SVD++."""

from nbhelpers.teaching.exercises import check_answer, satisfies


def context():
    """What the first check cell of the lab imports."""
    return {"check_answer": check_answer, "satisfies": satisfies}


def own_kept(rated, vectors, film):
    return sum(vectors[other] for other in rated) / max(len(rated), 1) ** 0.5


def root_of_the_others(rated, vectors, film):
    others = [other for other in rated if other != film]
    return sum(vectors[other] for other in others) / max(len(others), 1) ** 0.5


def always_subtracted(rated, vectors, film):
    total = sum(vectors[other] for other in rated) - vectors[film]
    return total / max(len(rated), 1) ** 0.5


WRONG = {
    "my_person": [own_kept, root_of_the_others, always_subtracted],
    "my_answer": ["A", "C"],
}
