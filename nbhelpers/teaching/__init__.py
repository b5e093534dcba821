"""Plots, exercises and tables of the notebooks."""
