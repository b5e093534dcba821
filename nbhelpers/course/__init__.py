"""What builds the course: execute, pair, tabulate, check."""
