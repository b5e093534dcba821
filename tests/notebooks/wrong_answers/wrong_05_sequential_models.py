"""Wrong but plausible answers that the lab on the order of likes must refuse."""

from nbhelpers.data.datasets.load import load_items, load_ratings
from nbhelpers.data.positives import positive_split
from nbhelpers.data.splits import last_like_out


def oldest_first(films, length, pad):
    rows = []
    for place in range(len(films)):
        before = films[max(0, place - length) : place]
        rows.append(before + [pad] * (length - len(before)))
    return rows


def film_itself_included(films, length, pad):
    rows = []
    for place in range(len(films)):
        before = films[: place + 1][::-1][:length]
        rows.append(before + [pad] * (length - len(before)))
    return rows


def padded_in_front(films, length, pad):
    rows = []
    for place in range(len(films)):
        before = films[:place][::-1][:length]
        rows.append([pad] * (length - len(before)) + before)
    return rows


def as_with_twenty_films():
    return 0.139


def as_shuffled():
    return 0.076


def context():
    """What the last solution trains on."""
    parts = last_like_out(load_ratings(), n_parts=3, rng=0)
    split = positive_split(parts, items=load_items())
    likes = parts[0][parts[0]["rating"] >= 4].sample(frac=1, random_state=42)
    ordered = likes.sort_values(["user_id", "timestamp"], kind="stable")
    return {"SEED": 42, "split": split, "ordered": ordered}


WRONG = {
    "my_past": [oldest_first, film_itself_included, padded_in_front],
    "my_ndcg_of_one": [as_with_twenty_films, as_shuffled],
}
