"""Metrics and the statistics around them."""
