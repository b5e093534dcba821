"""A file of your own, read and checked."""
