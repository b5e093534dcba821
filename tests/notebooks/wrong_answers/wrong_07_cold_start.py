"""Answers to the exercises of the lab on cold start that look right and are wrong."""


def hides_what_is_left(ratings, rung, top):
    liked = [film for film, stars in ratings if stars >= 4]
    return liked[:rung], liked[rung:], liked[:rung]


def masks_likes_alone(ratings, rung, top):
    liked = [film for film, stars in ratings if stars >= 4]
    return liked[:rung], liked[top:], liked[:top]


def counts_ratings_for_likes(ratings, rung, top):
    known = [film for film, stars in ratings[:rung] if stars >= 4]
    hidden = [film for film, stars in ratings[top:] if stars >= 4]
    return known, hidden, [film for film, _ in ratings[:top]]


def masks_what_is_known_on_the_rung(ratings, rung, top):
    liked = [film for film, stars in ratings if stars >= 4]
    masked, n_likes = [], 0
    for film, stars in ratings:
        n_likes += stars >= 4
        if n_likes <= rung:
            masked.append(film)
    return liked[:rung], liked[top:], masked


def without_the_prior(likes, prior_mean, weight):
    return likes / (likes + weight)


def weight_forgotten(likes, prior_mean, weight):
    return (likes + prior_mean) / (likes + 1)


def prior_added_at_the_end(likes, prior_mean, weight):
    return prior_mean + likes / (likes + weight)


WRONG = {
    "my_ladder": [
        hides_what_is_left,
        masks_likes_alone,
        counts_ratings_for_likes,
        masks_what_is_known_on_the_rung,
    ],
    "my_factor": [without_the_prior, weight_forgotten, prior_added_at_the_end],
}
