"""Answers to the exercises of the lab on first ratings that look right and are wrong."""

import pandas as pd


def context():
    return {"pd": pd}


def without_start(films, above, reg, start):
    evidence = sum(film * stars for film, stars in zip(films, above, strict=True))
    return evidence / (sum(film**2 for film in films) + reg)


def without_penalty(films, above, reg, start):
    if not films:
        return start
    evidence = sum(film * stars for film, stars in zip(films, above, strict=True))
    return evidence / sum(film**2 for film in films)


def start_added_at_the_end(films, above, reg, start):
    return start + without_start(films, above, reg, start)


def best_single_row(errors, model, known):
    fits = errors[(errors["model"] == model) & (errors["known"] == known)]
    return fits.loc[fits["MSE"].idxmin(), "reg"]


def one_for_all_numbers(errors, model, known):
    return errors[errors["model"] == model].groupby("reg")["MSE"].mean().idxmin()


def one_for_all_models(errors, model, known):
    return errors[errors["known"] == known].groupby("reg")["MSE"].mean().idxmin()


def the_error_itself(errors, model, known):
    fits = errors[(errors["model"] == model) & (errors["known"] == known)]
    return fits.groupby("reg")["MSE"].mean().min()


WRONG = {
    "my_fold_in": [without_start, without_penalty, start_added_at_the_end],
    "my_best_penalty": [
        best_single_row,
        one_for_all_numbers,
        one_for_all_models,
        the_error_itself,
    ],
}
