"""Wrong but plausible answers that the lab on options and schedules must refuse."""


def against_the_epoch_before(metrics, rate, factor):
    before, rates = float("-inf"), []
    for value in metrics:
        if value <= before:
            rate = rate * factor
        before = value
        rates.append(rate)
    return rates


def equal_counts_as_better(metrics, rate, factor):
    best, rates = float("-inf"), []
    for value in metrics:
        if value >= best:
            best = value
        else:
            rate = rate * factor
        rates.append(rate)
    return rates


def falls_only_once(metrics, rate, factor):
    best, rates = float("-inf"), []
    for value in metrics:
        best = max(best, value)
        rates.append(rate if value == max(metrics[: len(rates) + 1]) else rate * factor)
    return rates


WRONG = {"my_rates": [against_the_epoch_before, equal_counts_as_better, falls_only_once]}
