"""A log of your own, from any common file or table, read, checked and reported."""
