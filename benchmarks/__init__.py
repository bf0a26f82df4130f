"""Measurements; each prints a table and writes the same figures with --json."""
