"""Plots of the lessons."""
