"""Search over whole trainings: the numbers of a law are chosen by the losses its trainings end at.

Ideal rates are estimates, cell by cell, of what a law should do; a law that fits them well may
still schedule badly, because a rate just beyond a cliff costs little in a fit and everything in a
training. So after the fit CMA-ES moves the numbers, constants of a formula or weights of a network,
to where the mean regret over training tasks and seeds is least. Every generation trains its whole
population on all tasks from new seeds, so that no law is good at one set of batches alone. One
compiled program serves a bucket of tasks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.lab.engine.evolution import strategy
from psi.lab.engine.seeds import POLISH
from psi.law.checks import at_least, check_positive
from psi.progress import Report, silent

MOST_DIMENSIONS = 8

Vectors = Float[np.ndarray, "lane dim"]
Objective = Callable[[Sequence[Vectors], Int[np.ndarray, " seed"]], Sequence[np.ndarray]]
"""(a population for each formula or network, seeds) → mean regret of each law; lower is better"""


@dataclass(frozen=True)
class PolishConfig:
    """How large the search is. Raises ValueError where a number makes no sense."""

    population: int = 16
    """Laws a generation."""
    generations: int = 25
    seeds: int = 4
    """Initialisations and batch orders a law, task and generation."""
    spread: float = 0.3
    """Standard deviation at the start: of logarithms where a constant is positive."""
    seed: int = 0
    skip: int = 0
    """Seeds of the ledger's range that an earlier search has used: none is used again."""

    def __post_init__(self) -> None:
        at_least(self, population=4, generations=1, seeds=1, seed=0, skip=0)
        check_positive("spread", self.spread)


def polish(
    objective: Objective,
    starts: Sequence[np.ndarray],
    config: PolishConfig,
    key: Key[Array, ""],
    report: Report = silent,
) -> list[np.ndarray]:
    """Where CMA-ES ends from each start: the mean of its last distribution.

    The searches go through the same seeds at the same time. Raises ValueError for more than 8
    dimensions, which this population is too small for.
    """
    for start in starts:
        if not 1 <= len(start) <= MOST_DIMENSIONS:
            raise ValueError(f"a search has 1 to {MOST_DIMENSIONS} dimensions, got {len(start)}")
    searches = [strategy(config.population, config.spread, start[None], key) for start in starts]
    states = [state for _, _, state in searches]
    for generation in range(config.generations):
        draw = jax.random.fold_in(key, generation)
        asked = [ask(draw, state) for (ask, _, _), state in zip(searches, states, strict=True)]
        seeds = POLISH.array(config.seeds, config.skip + generation * config.seeds)
        fitness = objective([np.asarray(found)[0] for found, _ in asked], seeds)
        states = [
            tell(draw, found, jnp.asarray(np.nan_to_num(fit, nan=np.inf)[None], float), state)
            for (_, tell, _), (found, state), fit in zip(searches, asked, fitness, strict=True)
        ]
        report(generation + 1, config.generations, "generations")
    return [np.asarray(state.mean, np.float64)[0] for state in states]
