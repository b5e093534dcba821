"""Wrong but plausible answers that the lab on logs larger than memory must refuse."""

from collections import Counter


def one_round(pairs, k):
    users, items = Counter(user for user, _ in pairs), Counter(item for _, item in pairs)
    return sorted((user, item) for user, item in pairs if users[user] >= k and items[item] >= k)


def users_first_then_items(pairs, k):
    users = Counter(user for user, _ in pairs)
    kept = [pair for pair in pairs if users[pair[0]] >= k]
    items = Counter(item for _, item in kept)
    return sorted(pair for pair in kept if items[pair[1]] >= k)


def more_than_k(pairs, k):
    kept = list(pairs)
    while True:
        users, items = Counter(user for user, _ in kept), Counter(item for _, item in kept)
        left = [pair for pair in kept if users[pair[0]] > k and items[pair[1]] > k]
        if len(left) == len(kept):
            return sorted(left)
        kept = left


def as_many_as_rows(n_users, n_rows, batch_size):
    return float(min(n_users, batch_size))


def rows_instead_of_users(n_users, n_rows, batch_size):
    absent = (1 - 1 / (n_users * n_rows)) ** batch_size
    return round(n_users * (1 - absent), 1)


def present_in_each_draw(n_users, n_rows, batch_size):
    return round(n_users * (1 / n_users) ** batch_size, 1)


WRONG = {
    "my_core": [one_round, users_first_then_items, more_than_k],
    "my_users_in_batch": [as_many_as_rows, rows_instead_of_users, present_in_each_draw],
}
