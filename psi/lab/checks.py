"""What configs check of themselves, readable without any library."""

from typing import Any


def at_least(config: Any, *limits: tuple[str, int]) -> None:
    """Raise ValueError where a field is below its limit: (name, least value) each."""
    for name, low in limits:
        if getattr(config, name) < low:
            raise ValueError(f"{name} must be >= {low}, got {getattr(config, name)}")
