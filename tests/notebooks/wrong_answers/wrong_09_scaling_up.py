"""Wrong but plausible answers that lesson 09 must refuse."""


def _those_that_fit(needed, memory):
    return sorted(name for name, n_bytes in needed.items() if n_bytes <= memory)


def without_adam(n_users, n_items, memory):
    needed = {
        "EASE": 24 * n_items**2,
        "all scores": 4 * n_users * n_items,
        "factors": 4 * (16 * (n_users + n_items) + n_items),
    }
    return _those_that_fit(needed, memory)


def without_the_bias(n_users, n_items, memory):
    needed = {
        "EASE": 24 * n_items**2,
        "all scores": 4 * n_users * n_items,
        "factors": 16 * 16 * (n_users + n_items),
    }
    return _those_that_fit(needed, memory)


def each_pair_of_items_once(n_users, n_items, memory):
    needed = {
        "EASE": 24 * n_items * (n_items - 1) // 2,
        "all scores": 4 * n_users * n_items,
        "factors": 16 * (16 * (n_users + n_items) + n_items),
    }
    return _those_that_fit(needed, memory)


def all_of_them_together(n_users, n_items, memory):
    sizes = [24 * n_items**2, 4 * n_users * n_items, 16 * (16 * (n_users + n_items) + n_items)]
    names = ["EASE", "all scores", "factors"]
    return names if sum(sizes) <= memory else []


def plain_mean(gradients, n_rows):
    return sum(gradients) / len(gradients)


def plain_mean_of_those_with_rows(gradients, n_rows):
    own = [gradient for gradient, n in zip(gradients, n_rows, strict=True) if n]
    return sum(own) / len(own)


def sum_of_all_rows(gradients, n_rows):
    return sum(gradient * n for gradient, n in zip(gradients, n_rows, strict=True))


def context():
    """The order that the notebook draws."""
    return {"truth": TRUTH}


TRUTH = {"A": "rest forgotten", "B": "not shared", "C": "same seed"}
WRONG = {
    "my_fits": [without_adam, without_the_bias, each_pair_of_items_once, all_of_them_together],
    "my_gradient": [plain_mean, plain_mean_of_those_with_rows, sum_of_all_rows],
    "my_diagnosis": [
        {"A": "not shared", "B": "rest forgotten", "C": "same seed"},
        {"A": "same seed", "B": "not shared", "C": "rest forgotten"},
    ],
}
