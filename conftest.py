"""What every run of pytest in this repository knows, in `tests/` and in `notebooks/`."""

pytest_plugins = ["tests.notebooks.verdicts"]
