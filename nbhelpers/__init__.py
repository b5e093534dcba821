"""Helpers of the collaborative filtering course; each stage of the data flow is one folder."""
