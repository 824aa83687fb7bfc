"""Adapters that put a law in charge of another library's optimizer. One file a library."""
