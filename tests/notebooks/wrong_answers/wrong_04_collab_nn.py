"""Wrong but plausible answers that lesson 04 must refuse."""

import torch


def count_without_last_bias(n_users, n_items, user_width, item_width, n_hidden):
    embeddings = n_users * user_width + n_items * item_width
    return embeddings + (user_width + item_width + 1) * n_hidden + n_hidden


def count_without_biases(n_users, n_items, user_width, item_width, n_hidden):
    embeddings = n_users * user_width + n_items * item_width
    return embeddings + (user_width + item_width) * n_hidden + n_hidden


def count_with_one_width(n_users, n_items, user_width, item_width, n_hidden):
    embeddings = (n_users + n_items) * user_width
    return embeddings + (user_width + item_width + 1) * n_hidden + n_hidden + 1


def tolerance_off_the_score(wanted, action):
    return 1 - torch.relu(wanted - action) - torch.relu(action - wanted) + 0.5


def tolerance_added(wanted, action):
    return 1 - torch.relu(wanted - action + 0.5) - torch.relu(action - wanted + 0.5)


def tolerant_on_one_side(wanted, action):
    return 1 - torch.relu(wanted - action - 0.5) - torch.relu(action - wanted)


def context():
    """The order that the notebook draws."""
    return {"truth": {"A": "wrong row", "B": "range twice", "C": "no ReLU"}}


WRONG = {
    "my_count": [count_without_last_bias, count_without_biases, count_with_one_width],
    "my_tolerant_score": [tolerance_off_the_score, tolerance_added, tolerant_on_one_side],
    "my_diagnosis": [
        {"A": "no ReLU", "B": "range twice", "C": "wrong row"},
        {"A": "wrong row", "B": "no ReLU", "C": "range twice"},
    ],
}
