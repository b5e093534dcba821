"""Faults of an evaluation: one module for each place where they hide."""
