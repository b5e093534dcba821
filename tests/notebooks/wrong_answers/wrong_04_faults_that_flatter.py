"""Plausible wrong answers to the exercises of the lab 04_faults_that_flatter."""


def differs_from_the_batch(score, batch):
    return score(batch) != batch


def differs_when_reversed(score, batch):
    return score(batch) != score(batch[::-1])


def looks_at_the_first_row_only(score, batch):
    return score(batch)[0] != score(batch[:1])[0]


def rounds_to_whole_stars(pred, rating, step):
    before = (pred - rating).square().mean()
    return (pred.round() - rating).square().mean() - before


def rounds_down(pred, rating, step):
    before = (pred - rating).square().mean()
    return ((pred / step).floor() * step - rating).square().mean() - before


def forgets_the_error_before(pred, rating, step):
    return ((pred / step).round() * step - rating).square().mean()


WRONG = {
    "my_depends_on_batch": [
        differs_from_the_batch,
        differs_when_reversed,
        looks_at_the_first_row_only,
    ],
    "my_rounding_cost": [rounds_to_whole_stars, rounds_down, forgets_the_error_before],
}


def context():
    """A trained model and held-out rows, for the numbers that the solution prints."""
    from types import SimpleNamespace

    import torch

    def decayed(user_idx, item_idx):
        return torch.linspace(1, 5, len(user_idx))

    idx = torch.zeros(9, dtype=torch.int64)
    split = SimpleNamespace(valid=(idx, idx, torch.full((9,), 3.0)))
    return {"decayed": decayed, "split": split}
