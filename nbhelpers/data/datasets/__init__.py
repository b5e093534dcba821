"""Data sets by name: fetched, verified, parsed."""
