"""What `nbhelpers` does with a log of your own: from a file to a table, a model and lists."""
