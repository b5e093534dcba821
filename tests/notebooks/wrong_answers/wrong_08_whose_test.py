"""Plausible wrong answers to the exercises of the lab 08_whose_test."""

from collections import Counter


def drops_the_films_over_the_cap(film_of_like, cap):
    counts = Counter(film_of_like).values()
    return sum(count for count in counts if count <= cap) / len(film_of_like)


def counts_films(film_of_like, cap):
    counts = Counter(film_of_like).values()
    return sum(count <= cap for count in counts) / len(counts)


def gives_every_film_the_cap(film_of_like, cap):
    return min(1.0, cap * len(set(film_of_like)) / len(film_of_like))


def left_in(places, kept):
    return sorted(place for place, stays in zip(places, kept, strict=True) if stays)


def all_move_up_by_all(places, kept):
    return [place - kept.count(False) for place in left_in(places, kept)]


def in_the_order_given(places, kept):
    moved, n_removed = [], 0
    for place, stays in zip(places, kept, strict=True):
        if stays:
            moved.append(place - n_removed)
        else:
            n_removed += 1
    return moved


def forgets_what_they_had(films, had):
    return list(dict.fromkeys(films))


def keeps_the_last_copy(films, had):
    kept = [film for film in reversed(films) if film not in had]
    return list(dict.fromkeys(kept))[::-1]


def drops_every_copy(films, had):
    return [film for film in films if film not in had and films.count(film) == 1]


def leaves_the_places_empty(films, had):
    return [None if film in had else film for film in dict.fromkeys(films)]


WRONG = {
    "my_share_left": [drops_the_films_over_the_cap, counts_films, gives_every_film_the_cap],
    "my_masked_places": [left_in, all_move_up_by_all, in_the_order_given],
    "my_repaired_list": [
        forgets_what_they_had,
        keeps_the_last_copy,
        drops_every_copy,
        leaves_the_places_empty,
    ],
}
