"""Checks that configs make of their own fields; no library is imported."""

from typing import Any


def at_least(config: Any, *limits: tuple[str, int]) -> None:
    """Raise ValueError where a field of `config` is below its limit; (field, least value) each."""
    for name, low in limits:
        if getattr(config, name) < low:
            raise ValueError(f"{name} must be >= {low}, got {getattr(config, name)}")
