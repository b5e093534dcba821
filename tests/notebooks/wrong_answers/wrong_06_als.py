"""Plausible wrong answers to the exercises of the lab 06_als."""

import torch


def counts_as_preference(films, counts, alpha, reg):
    above = sum(
        (1 + alpha * count) * count * film for film, count in zip(films, counts, strict=True)
    )
    below = reg + sum(
        (1 + alpha * count) * film**2 for film, count in zip(films, counts, strict=True)
    )
    return above / below


def forgets_silence(films, counts, alpha, reg):
    played = [(film, count) for film, count in zip(films, counts, strict=True) if count > 0]
    above = sum((1 + alpha * count) * film for film, count in played)
    return above / (reg + sum((1 + alpha * count) * film**2 for film, count in played))


def no_penalty(films, counts, alpha, reg):
    pairs = list(zip(films, counts, strict=True))
    above = sum((1 + alpha * count) * film for film, count in pairs if count > 0)
    return above / sum((1 + alpha * count) * film**2 for film, count in pairs)


def newcomer_without_silence(item_factors, liked, alpha, reg):
    own = item_factors[liked]
    left = (1 + alpha) * own.T @ own + reg * torch.eye(item_factors.shape[1])
    return torch.linalg.solve(left, (1 + alpha) * own.sum(dim=0))


def newcomer_with_alpha_on_the_right(item_factors, liked, alpha, reg):
    own = item_factors[liked]
    left = item_factors.T @ item_factors + reg * torch.eye(item_factors.shape[1])
    return torch.linalg.solve(left + alpha * own.T @ own, alpha * own.sum(dim=0))


def newcomer_counted_twice(item_factors, liked, alpha, reg):
    own = item_factors[liked]
    left = item_factors.T @ item_factors + reg * torch.eye(item_factors.shape[1])
    return torch.linalg.solve(left + (1 + alpha) * own.T @ own, (1 + alpha) * own.sum(dim=0))


WRONG = {
    "my_factor": [counts_as_preference, forgets_silence, no_penalty],
    "my_newcomer": [
        newcomer_without_silence,
        newcomer_with_alpha_on_the_right,
        newcomer_counted_twice,
    ],
}


def context():
    """The factors of the toy films."""
    return {"Y": torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])}
