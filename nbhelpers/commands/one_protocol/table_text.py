"""The table of all models under one protocol as text: columns, protocols, what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

NAME = "protocol_table.csv"
KEY = ("protocol", "model")
COLUMNS = (
    *KEY,
    "taught_in",
    "metric",
    "value",  # mean over users; of MSE, over rows
    "low",  # 95 % interval over users
    "high",
    "behind",  # distance to the best of the protocol
    "p_corrected",  # of that distance, Holm
    "hit_rate",
    "map",
    "coverage",  # share of the catalog that is on a list
    "mse_known",  # MSE on rows of users who have a training row
    "share_known",  # share of such rows
    "n_users",
    "trials",  # settings tried on validation rows
    "fits",  # models that met the test: seeds, or dates
    "seed_low",  # lowest and highest value among the seeds of one split
    "seed_high",
    "fit_seconds",  # of one core, without waiting for others
    "n_parameters",
    "settings",  # chosen
    "dataset",
)
ABOUT = {
    "time": (
        "Lists, global time",
        "At five dates, when 50, 60, 70, 80 and 90 % of the ratings had been made, every model "
        "learns from the likes before the date and looks for the likes among the tenth of the "
        "ratings that follows. Settings are chosen in the same way at an earlier date, 40 %. "
        "A random model has another seed at each date. A person of several dates counts once.",
    ),
    "last": (
        "Lists, last like out",
        "Each person's last like is looked for, and the one before it chooses the settings. "
        "Random models have five seeds; *seeds* is the lowest and the highest of them.",
    ),
    "ratings-time": (
        "Ratings, global time",
        "The same dates, and all ratings of the tenth that follows are predicted. People who have "
        "rated nothing before the date are among them, and each model answers them in its own way; "
        "*MSE, known* leaves them out, and there the order is another one.",
    ),
    "ratings-random": (
        "Ratings, random 70/10/20",
        "A tenth of all rows, drawn at random, chooses the settings, and a fifth is the test.",
    ),
}
LEFT_OUT = {
    "dot product, logistic": "the lab 06_losses compares it with BPR, which takes its place here",
    "dot product, hinge": "the lab 06_losses finds it behind BPR, which takes its place here",
    "WARP, as published": "its search takes long; the lab 06_losses compares it with WARP of few "
    "tries, which takes its place here",
    "dot product, sampled softmax": "the full softmax takes its place",
    "DeepFM": "the lab 07_lightfm cannot tell it from the factorization machine without a network",
    "LightGCN": "the course has no model on a graph",
    "SASRec": "the sequence tower is the sequence model of the course",
    "HybridMF": "lesson 07 measures it level with the factorization that it starts from; LightFM, "
    "feature IALS and the factorization machine take features here",
    "Hybrid": "the public hybrid, which lesson 07 finds behind the factorization it starts from",
    "MetricLearning": "no lesson or lab trains it",
    "Blend": "a mixture of models that are here",
    "TimeSVDpp": "it needs the day of a rating, which nobody knows before the rating was made",
    "OrdinalRating, CategoricalRating": "they predict distributions; the lab 04_ordinal_ratings "
    "judges these",
    "collab_learner": "the dot product with biases, trained by fastai: lesson 03",
}


def read_protocol_table(path: Path) -> pd.DataFrame:
    """The table of a file.

    Raises
    ------
    ValueError
        If it has other columns.
    """
    table = pd.read_csv(path, dtype={"taught_in": str})
    if set(table.columns) != set(COLUMNS):
        odd = sorted(set(table.columns) ^ set(COLUMNS))
        raise ValueError(f"{path.name} needs the columns {', '.join(COLUMNS)}; check {odd[:3]}")
    return table


def protocol_markdown(table: pd.DataFrame, *, left_out: Mapping[str, str] = LEFT_OUT) -> str:
    """The table as Markdown: a part for each protocol, and what is left out.

    Parameters
    ----------
    table : DataFrame
        With the columns of ``COLUMNS``.
    left_out : dict of str to str
        Models that did not take part, and why.

    Returns
    -------
    str
    """
    parts = []
    for name, (title, about) in ABOUT.items():
        rows = table[table["protocol"] == name]
        if len(rows):
            lists = rows["metric"].iloc[0] != "MSE"
            lines = _list_lines(rows) if lists else _rating_lines(rows)
            said = [f"**{title}.** {about}", f"{rows['n_users'].iloc[0]:,} people."]
            if not lists:
                share = f"{100 * rows['share_known'].iloc[0]:.0f} %"
                said.append(f"{share} of the ratings are of people with a rating to learn from.")
            said.append(f"Each model tried up to {rows['trials'].max()} settings.")
            parts.append("\n".join([" ".join(said), "", *lines]))
    reasons = [f"- {name}: {reason}." for name, reason in left_out.items()]
    parts.append("\n".join(["Left out:", "", *reasons]))
    return "\n\n".join(parts)


def _list_lines(rows: pd.DataFrame) -> list[str]:
    heads = ["model", "taught in", "NDCG@10", "95 % over people", "behind", "corrected p"]
    heads += ["HR@10", "MAP@10", "coverage", "seeds", "core s", "parameters"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for row in rows.itertuples(index=False):
        cells = [*_first_cells(row), f"{row.hit_rate:.3f}", f"{row.map:.3f}"]
        cells += [f"{row.coverage:.0%}".replace("%", " %"), *_last_cells(row)]
        lines.append(_line(cells))
    return lines


def _rating_lines(rows: pd.DataFrame) -> list[str]:
    heads = ["model", "taught in", "MSE", "95 % over people", "behind", "corrected p"]
    heads += ["MSE, known", "seeds", "core s", "parameters"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for row in rows.itertuples(index=False):
        lines.append(_line([*_first_cells(row), f"{row.mse_known:.3f}", *_last_cells(row)]))
    return lines


def _first_cells(row: Any) -> list[str]:
    is_best = row.behind == 0 and row.p_corrected == 1
    p = (
        "best"
        if is_best
        else "below 0.001"
        if row.p_corrected < 0.001
        else f"{row.p_corrected:.3f}"
    )
    interval = f"{row.low:.3f} to {row.high:.3f}"
    return [row.model, row.taught_in, f"{row.value:.3f}", interval, f"{row.behind:.3f}", p]


def _last_cells(row: Any) -> list[str]:
    spread = "" if pd.isna(row.seed_low) else f"{row.seed_low:.3f} to {row.seed_high:.3f}"
    return [spread, f"{row.fit_seconds:.1f}", f"{row.n_parameters:,}"]


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
