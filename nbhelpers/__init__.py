"""Helpers of the collaborative filtering course; each stage of the data flow is one folder."""

__version__ = "0.1.0"
