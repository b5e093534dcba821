"""Plausible wrong answers to the exercises of the lab 09_many_processes."""


def share_of_the_rows(n_rows, rank):
    return n_rows[rank] / sum(n_rows)


def divided_by_the_processes(n_rows, rank):
    return n_rows[rank] / sum(n_rows) / len(n_rows)


def the_wrong_way_round(n_rows, rank):
    return sum(n_rows) / (len(n_rows) * n_rows[rank])


def processes_with_rows_alone(n_rows, rank):
    return sum(n > 0 for n in n_rows) * n_rows[rank] / sum(n_rows)


def rest_is_lost(rows, rank, world):
    size = len(rows) // world
    return rows[rank * size : (rank + 1) * size]


def blocks(rows, rank, world):
    size = -(-len(rows) // world)
    return rows[rank * size : (rank + 1) * size]


def everybody_from_the_start(rows, rank, world):
    return rows[::world]


WRONG = {
    "my_factor": [
        share_of_the_rows,
        divided_by_the_processes,
        the_wrong_way_round,
        processes_with_rows_alone,
    ],
    "my_share": [rest_is_lost, blocks, everybody_from_the_start],
}
