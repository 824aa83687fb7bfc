"""What `psi ideal` may be asked for, checked without importing JAX."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from psi.law.checks import at_least

CONTINUATIONS = ("constant", "linear")


@dataclass(frozen=True)
class IdealConfig:
    """How ideal rates are estimated.

    Raises:
        ValueError: where a number makes no sense or a continuation is neither known nor a file.

    Example:
        >>> import psi
        >>> psi.IdealConfig(horizon=(1, "end"), states=4).horizon  # judged after 1 epoch, and T - i
        (1, 'end')
    """

    horizon: tuple[int | Literal["end"], ...] = ("end",)
    """H in epochs, one or several, from epochs i <= T − H; end: to the end of the budget."""
    continuation: str = "linear"
    """What follows a candidate: constant, linear (to zero at the end of the horizon), or a law
    file."""
    tasks: tuple[str, ...] = ()
    """Of the data set's tasks; by default all."""
    cells: int = 20
    """Trajectories a task, good and bad, each with an epoch at which rates branch off."""
    states: int = 8
    """Seeds a cell."""
    orders: int = 16
    """R, fresh batch orders a state, shared by the rates."""
    rates: int = 12
    """K, candidate rates, evenly spaced in log α over the data set's bounds."""
    rounds: int = 1
    """Times K rates are tried in a cell, closer to the best each time."""
    oracle: bool = False
    """Search each task's best trajectory too, and print the headroom."""
    bias: bool = False
    """Measure what schedules chosen 1, 2, 4, … epochs ahead end at, too."""
    seed: int = 0
    """Seed of everything random."""

    def __post_init__(self) -> None:
        at_least(self, cells=1, states=1, orders=2, rates=3, rounds=1, seed=0)
        if not self.horizon or len(set(self.horizon)) != len(self.horizon):
            raise ValueError(f"horizon must be distinct, at least one; got {self.horizon}")
        for each in self.horizon:
            if each != "end" and each < 1:
                raise ValueError(f"a horizon must be >= 1 epoch, or end; got {each}")
        if self.continuation not in CONTINUATIONS and not Path(self.continuation).is_file():
            raise ValueError(
                f"continuation must be {', '.join(CONTINUATIONS)} or a law file, "
                f"got {self.continuation!r}"
            )
