"""Benchmarks: one command, figures as a table. Nothing here fails a build: a test never asserts a time."""
