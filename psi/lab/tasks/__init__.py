"""Implementations of `Task`, and the table that makes one from its name."""
