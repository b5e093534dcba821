"""Logs larger than memory: counted, filtered, split and written as shuffled shards by DuckDB."""
