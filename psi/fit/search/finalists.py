"""A competition of candidates on whole trainings: levelled, searched, the better half once more.

Every candidate starts from its fit to ideal rates. Its level is chosen first; CMA-ES moves all its
constants; the better half is searched again from where it ended, on seeds that nothing has used.
Candidates are compared on seeds of their own, and a search that made one worse there is not taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from psi.fit.formula.formula import Candidate, Formula, Vector
from psi.fit.search.arena import Arena
from psi.fit.search.evolution import PolishConfig
from psi.fit.search.surrogate import scattered, task_intervals
from psi.lab.engine.seeds import INTERVALS, JUDGING, LEVELS
from psi.law.expression import evaluate
from psi.law.law import Range
from psi.progress import Report, silent, within

LEVEL_SEEDS, JUDGING_SEEDS = LEVELS.array(16), JUDGING.array(32)
INTERVAL_SEEDS = INTERVALS.array(16)
SCATTERED, SPREAD = 64, 0.15
"""Laws around the best, and their standard deviation, for intervals of its constants."""
GRID = 64  # points along each feature


@dataclass(frozen=True)
class Rounds:
    """How large a competition is."""

    first: PolishConfig = field(
        default_factory=lambda: PolishConfig(12, generations=4, seeds=8, spread=0.2)
    )
    """The search over all candidates."""
    then: PolishConfig = field(
        default_factory=lambda: PolishConfig(12, generations=5, seeds=16, spread=0.1)
    )
    """The search over the better half."""

    def steps(self) -> int:
        """What a competition reports: choosing levels, and every generation."""
        return 1 + self.first.generations + self.then.generations


class Finalist(NamedTuple):
    """A candidate after its search."""

    number: int
    """Of the candidate, in its arena."""
    candidate: Candidate
    fitted: float
    """Mean regret over training tasks on judging seeds, as fitted to ideal rates."""
    polished: float
    """After the search."""
    found: Vector
    """The constants as they are searched."""
    regrets: Float[np.ndarray, " task"]
    """Of the polished law."""


def compete(
    arena: Arena, numbers: Sequence[int], rounds: Rounds, report: Report = silent
) -> list[Finalist]:
    """The candidates of these numbers after their search, the best first."""
    steps, begun = rounds.steps(), 1 + rounds.first.generations
    starts = {k: arena.candidates[k].start for k in numbers}
    fitted = _judged(arena, starts)
    report(0, steps, "levels")
    level = arena.levelled(list(starts), list(starts.values()), LEVEL_SEEDS)
    begin = dict(zip(starts, level, strict=True))
    stage = within(report, 1, rounds.first.generations, steps, f"{len(numbers)} candidates")
    ends = _searched(rounds.first, arena, begin, stage)
    judged = _judged(arena, ends)
    better = sorted(numbers, key=lambda k: judged[k].mean())[: max(1, len(numbers) // 2)]
    again = replace(rounds.then, skip=rounds.first.generations * rounds.first.seeds)
    stage = within(report, begun, rounds.then.generations, steps, f"{len(better)} candidates")
    more = _searched(again, arena, {k: ends[k] for k in better}, stage)
    after = _judged(arena, more)
    for k, found in more.items():
        if after[k].mean() < judged[k].mean():
            ends[k], judged[k] = found, after[k]
    finalists = [
        Finalist(k, arena.candidates[k], fitted[k].mean(), judged[k].mean(), ends[k], judged[k])
        for k in numbers
    ]
    return sorted(finalists, key=lambda finalist: finalist.polished)


def intervals(arena: Arena, finalist: Finalist) -> tuple[Vector, Vector]:
    """Ends of the 95 % intervals over tasks of the constants as they are searched."""
    lanes = scattered(finalist.found, SCATTERED, SPREAD)
    return task_intervals(arena.regrets([finalist.number], [lanes], INTERVAL_SEEDS), lanes)


def rates_over(
    formula: Formula, found: Vector, names: tuple[str, ...], domain: Sequence[Range]
) -> Range:
    """All that Ψ can be within a domain: its least and highest value on a grid."""
    ends = [np.linspace(*each, GRID) for each in domain]
    grid = [axis.reshape(-1) for axis in np.meshgrid(*ends)]
    rate = np.broadcast_to(evaluate(formula.bound(found), names, grid, np), grid[0].shape)
    return Range(float(rate.min()), float(rate.max()))


def _searched(
    config: PolishConfig, arena: Arena, starts: Mapping[int, np.ndarray], report: Report
) -> dict[int, np.ndarray]:
    found = arena.polished(list(starts), list(starts.values()), config, report)
    return dict(zip(starts, found, strict=True))


def _judged(
    arena: Arena, vectors: Mapping[int, np.ndarray]
) -> dict[int, Float[np.ndarray, " task"]]:
    found = arena.regrets(list(vectors), [v[None] for v in vectors.values()], JUDGING_SEEDS)
    return dict(zip(vectors, found.T, strict=True))
