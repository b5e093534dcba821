"""What a command tells while it works: lines and bars on the error stream, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


class Progress:
    """Tells how far a command is.

    Parameters
    ----------
    quiet : bool
        Say nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, line: str) -> None:
        """Print a line, above the bar if one is drawn."""
        if not self.quiet:
            tqdm.write(line, file=sys.stderr)

    @contextmanager
    def bar(self, total: int, *, unit: str) -> Iterator[tqdm[Any]]:
        """A bar that ``update`` moves, drawn on a terminal alone."""
        hidden = self.quiet or not sys.stderr.isatty()
        with tqdm(total=total, unit=unit, file=sys.stderr, disable=hidden, leave=False) as bar:
            yield bar
