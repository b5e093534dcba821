"""Ratings in: files, ids, splits."""
