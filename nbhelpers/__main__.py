"""`nbhelpers`, or `python -m nbhelpers`: a recommender of your own, and the course's commands."""

from __future__ import annotations

import sys

from nbhelpers.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
