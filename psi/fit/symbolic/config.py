"""What a symbolic search may be asked for, checked without importing a library."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from psi.law.checks import at_least

RATIONAL = ("add", "sub", "mul", "div")
FULL = (*RATIONAL, "pow", "exp", "log", "sqrt", "tanh")


class View(NamedTuple):
    """What a genetic search is shown, and what it may use."""

    target: Literal["rate", "log"]
    """α, or log α with the logarithms of features among the inputs."""
    operations: tuple[str, ...]


VIEWS = (View("rate", RATIONAL), View("rate", FULL), View("log", (*RATIONAL, "exp", "log")))
"""α finds what saturates and what adds up, log α products of powers."""


@dataclass(frozen=True)
class SymbolicConfig:
    """How formulas are searched for. Raises ValueError where a number makes no sense."""

    runs: int = 6
    """Genetic searches, each from a seed of its own."""
    views: tuple[View, ...] = VIEWS
    """Genetic searches take turns with them."""
    population: int = 500
    generations: int = 40
    length: int = 20
    """Nodes that a proposed tree may have before it is simplified."""
    rows: int = 1000
    """Points that a genetic search sees, drawn by weight; constants are refitted on all."""
    starts: int = 2
    """Starts of each refit."""
    folds: int = 8
    """Parts of the tasks, each held out once."""
    resamples: int = 100
    """Bootstrap resamples for the intervals of the front's constants."""
    threads: int = 2
    """Of a genetic search; they do not change its result."""
    seed: int = 0
    """Seed of everything random."""

    def __post_init__(self) -> None:
        at_least(
            self, runs=0, population=10, generations=1, length=3, rows=10, starts=1, folds=2,
            resamples=2, threads=1, seed=0,
        )  # fmt: skip
        if not self.views:
            raise ValueError("views must be at least one, got none")
        for target, operations in self.views:
            if target not in ("rate", "log") or not operations or set(operations) - set(FULL):
                raise ValueError(
                    f"a view has target rate or log and operations of {', '.join(FULL)}; "
                    f"got {target!r}, {operations}"
                )
