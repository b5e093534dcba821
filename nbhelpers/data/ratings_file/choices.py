"""What a caller may say about a file: columns, formats and policies, checked at the door."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

ROLES = ("user", "item", "rating", "weight", "time", "event", "title")
# A column by name or by number from 1; None: to be found; False: to be left out.
Column = str | int | Literal[False] | None

REPEATS = ("keep", "last", "first", "sum", "count", "max", "refuse")
ZEROS = ("implicit", "drop", "keep")
UNRATED = ("refuse", "drop", "implicit")
LOOK_ALIKES = ("refuse", "merge")
ON_BAD = ("stop", "skip")
LAYOUTS = ("long", "wide", "lists")


@dataclass(frozen=True)
class Choices:
    """Everything that was said, with the default where nothing was.

    Attributes
    ----------
    columns : mapping of role to Column
    repeats, zeros, missing_values, unrated, event_weights, look_alikes, on_bad
        The policies of ``read_ratings``.
    rating_range : tuple of two floats, or None
    time_format, decimal, encoding, delimiter, header, layout, table
        The formats of ``read_ratings``.

    Raises
    ------
    ValueError
        If a policy or a format is none that exists.
    """

    columns: Mapping[str, Column] = field(default_factory=dict)
    repeats: str = "keep"
    zeros: str | None = None
    missing_values: Sequence[float] | None = None
    unrated: str | None = None
    event_weights: Mapping[str, float] | None = None
    look_alikes: str = "refuse"
    on_bad: str = "stop"
    rating_range: tuple[float, float] | None = None
    time_format: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    layout: str | None = None
    table: str | None = None

    def __post_init__(self) -> None:
        _one_of("repeats", self.repeats, REPEATS)
        _one_of("zeros", self.zeros, (None, *ZEROS))
        _one_of("unrated", self.unrated, (None, *UNRATED))
        _one_of("look_alikes", self.look_alikes, LOOK_ALIKES)
        _one_of("on_bad", self.on_bad, ON_BAD)
        _one_of("layout", self.layout, (None, *LAYOUTS))
        _one_of("decimal", self.decimal, (None, ".", ","))
        span = self.rating_range
        if span is not None and not span[0] < span[1]:
            raise ValueError(f"rating_range must be (low, high) with low < high, got {span}")
        weights = self.event_weights
        if weights is not None and not all(
            0 < weight < float("inf") for weight in weights.values()
        ):
            raise ValueError(
                f"event_weights must be finite and above 0, got {dict(weights)}: leave an event "
                "out to drop its rows"
            )

    def column(self, role: str) -> Column:
        """What was said about the column of a role."""
        return self.columns.get(role)


def _one_of(name: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {list(known)}, got {value!r}")
