"""Wrong but plausible answers that lesson 04 must refuse."""


def count_without_last_bias(n_users, n_items, user_width, item_width, n_hidden):
    embeddings = n_users * user_width + n_items * item_width
    return embeddings + (user_width + item_width + 1) * n_hidden + n_hidden


def count_without_biases(n_users, n_items, user_width, item_width, n_hidden):
    embeddings = n_users * user_width + n_items * item_width
    return embeddings + (user_width + item_width) * n_hidden + n_hidden


def count_with_one_width(n_users, n_items, user_width, item_width, n_hidden):
    embeddings = (n_users + n_items) * user_width
    return embeddings + (user_width + item_width + 1) * n_hidden + n_hidden + 1


def best_even_at_an_end(trials, model):
    errors = {decay: error for name, decay, error in trials if name == model}
    return min(errors, key=errors.get)


def best_by_place_in_the_list(trials, model):
    own = [(decay, error) for name, decay, error in trials if name == model]
    place = min(range(len(own)), key=lambda k: own[k][1])
    return None if place in (0, len(own) - 1) else own[place][0]


def best_within_ends_of_all_models(trials, model):
    errors = {decay: error for name, decay, error in trials if name == model}
    best = min(errors, key=errors.get)
    decays = [decay for _, decay, _ in trials]
    return None if best in (min(decays), max(decays)) else best


WRONG = {
    "my_count": [count_without_last_bias, count_without_biases, count_with_one_width],
    "my_best_decay": [
        best_even_at_an_end,
        best_by_place_in_the_list,
        best_within_ends_of_all_models,
    ],
    "my_diagnosis": [
        {"A": "no ReLU", "B": "range twice", "C": "wrong row"},
        {"A": "range twice", "B": "no ReLU", "C": "wrong row"},
    ],
}
