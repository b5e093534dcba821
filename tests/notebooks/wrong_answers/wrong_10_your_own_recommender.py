"""Wrong but plausible answers that lesson 10 must refuse."""


def rows_for_customers(rows):
    counts = {}
    for _, product in rows:
        counts[product] = counts.get(product, 0) + 1
    return counts


def numbers_for_ids(rows):
    counts = {}
    for _, product in {(int(customer), int(product)) for customer, product in rows}:
        counts[str(product)] = counts.get(str(product), 0) + 1
    return counts


def products_of_customers(rows):
    counts = {}
    for customer, _ in set(rows):
        counts[customer] = counts.get(customer, 0) + 1
    return counts


def surest_choice(p_values, limit):
    return max(p_values, key=p_values.get)


def simplest_choice(p_values, limit):
    return next(iter(p_values))


def choice_by_a_small_p(p_values, limit):
    return next(name for name, p in p_values.items() if p < limit)


def last_undecided(p_values, limit):
    return [name for name, p in p_values.items() if p >= limit][-1]


def fixed_limit(p_values, limit):
    return next(name for name, p in p_values.items() if p >= 0.05)


def context():
    """The order that the notebook draws."""
    return {"truth": TRUTH}


TRUTH = {"A": "upside down", "B": "zeros", "C": "already had"}

WRONG = {
    "my_customers": [rows_for_customers, numbers_for_ids, products_of_customers],
    "my_diagnosis": [
        {"A": TRUTH["B"], "B": TRUTH["A"], "C": TRUTH["C"]},
        {"A": TRUTH["A"], "B": TRUTH["C"], "C": TRUTH["B"]},
    ],
    "my_choice": [
        surest_choice,
        simplest_choice,
        choice_by_a_small_p,
        last_undecided,
        fixed_limit,
    ],
}
