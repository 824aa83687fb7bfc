"""What the study's laws are called in the package."""

VERSION, SCALED = "@0.1.0", "-scaled"
"""Ends of names: pure laws have made room for laws of facts, scaled ones stay."""


def shipped_as(name: str) -> str:
    """The name of a law of the study in the package."""
    return name if name.endswith(SCALED) else name + VERSION


def of_study(name: str) -> bool:
    """Whether a shipped law is one of this study's."""
    return name.endswith((VERSION, SCALED))
