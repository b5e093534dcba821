"""`nbhelpers reproduce-table`: every model of the course under one protocol."""
