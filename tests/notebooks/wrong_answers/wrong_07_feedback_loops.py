"""Plausible wrong answers to the exercises of the lab 07_feedback_loops."""

import torch


def divides_by_the_rows_that_agree(rows):
    agreeing = [(propensity, clicked) for agrees, propensity, clicked in rows if agrees]
    if not agreeing:
        return [0, 0]
    weighted = sum(clicked / propensity for propensity, clicked in agreeing)
    return [weighted / len(agreeing), weighted / sum(1 / p for p, _ in agreeing)]


def forgets_to_weigh(rows):
    agreeing = [clicked for agrees, _, clicked in rows if agrees]
    if not agreeing:
        return [0, 0]
    return [sum(agreeing) / len(rows), sum(agreeing) / len(agreeing)]


def weighs_rows_that_do_not_agree(rows):
    weighted = sum(clicked / propensity for _, propensity, clicked in rows)
    return [weighted / len(rows), weighted / sum(1 / propensity for _, propensity, _ in rows)]


def share_between_0_and_1(world):
    return 0.4


def trained_once(world):
    return 31.0


WRONG = {
    "my_estimates": [
        divides_by_the_rows_that_agree,
        forgets_to_weigh,
        weighs_rows_that_do_not_agree,
    ],
    "my_attention": [share_between_0_and_1, trained_once],
}


def context():
    """The sizes of the lab and its first world, made by the same draws."""
    n, rng = 400, torch.Generator().manual_seed(0)
    tastes = torch.randn(n, 4, generator=rng)
    contents = torch.randn(n, 4, generator=rng)
    quality = torch.randn(n, generator=rng)
    popularity = torch.randn(n, generator=rng)
    truth = torch.sigmoid(0.75 * tastes @ contents.T + 0.7 * quality - 2.5)
    shown = torch.multinomial((1.5 * popularity).exp().expand(n, n), 30, generator=rng)
    chance = torch.rand(n, 30, generator=rng)
    clicked = torch.zeros(n, n, dtype=torch.bool)
    clicked.scatter_(1, shown, chance < truth.gather(1, shown))
    world = {"seed": 0, "truth": truth, "first log": clicked}
    names = {"N_PEOPLE": n, "N_FILMS": n, "K": 10, "everybody": torch.arange(n)}
    return {**names, "worlds": [world]}
