"""Random, grid, evolutionary and Bayesian search over the unit square, many beside each other.

Each takes `losses` and a key a search. `losses(points, before)` is told the next trials of all
searches and how many each has had, and returns the loss of every trial, infinite where it diverged.
What a search does depends on its own key and losses alone. A noisy loss counts as it is: the best
trial is the one with the lowest.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from evosax.algorithms import CMA_ES, SimpleGA
from jaxtyping import Array, Float, Key

from psi.bench.searches.space import DIMENSIONS, Losses, Points

TRIALS = 100  # at most, of one search
RUNS = 30  # trials of every search but random search
PEAKS, POWERS = 10, 3  # of the grid
PARENTS = 10  # a generation of the genetic algorithm
CANDIDATES = 6  # a generation of CMA-ES: 4 + 3 log 2, as its authors advise
SPREAD = 0.3  # standard deviation of its first candidates, as they advise of the range's width
MUTATION = 0.1
CROSSOVER = 0.5

Evaluate = Callable[[Points, int], Losses]
Keys = Key[Array, " search"]


class Evolution(NamedTuple):
    """The functions of one of evosax's algorithms, for all searches at once."""

    init: Callable[..., Any]
    """(keys, what its first state is made of) → states"""
    ask: Callable[..., Any]
    """(keys, states) → candidates and states"""
    tell: Callable[..., Any]
    """(keys, candidates, losses, states) → states"""


class Tried(NamedTuple):
    """All trials of some searches."""

    points: Points
    losses: Losses

    @property
    def best(self) -> Float[np.ndarray, "search 2"]:
        """The best trial of each search."""
        return self.points[np.arange(len(self.points)), self.losses.argmin(1)]


def random_search(losses: Evaluate, keys: Keys, first: int = 0, last: int = TRIALS) -> Tried:
    """Trials number `first` … `last` − 1 of a random search (Bergstra & Bengio 2012, JMLR 13)."""
    points = _uniform(keys, TRIALS)[:, first:last]
    return Tried(points, losses(points, first))


def grid_search(losses: Evaluate, keys: Keys) -> Tried:
    """All pairs of 10 peaks and the powers 0, 1 and 2; both ends of the bounds are tried."""
    axes = np.linspace(0, 1, PEAKS), np.linspace(0, 1, POWERS)
    grid = np.stack(np.meshgrid(*axes), -1).reshape(-1, DIMENSIONS)
    points = np.broadcast_to(grid, (len(keys), *grid.shape))
    return Tried(points, losses(points, 0))


def genetic(losses: Evaluate, keys: Keys) -> Tried:
    """A genetic algorithm of three generations (Such et al. 2017, arXiv 1712.06567; evosax).

    The better half are parents; each number of a child is of either parent, with normal mutation.
    """
    points = _uniform(keys, PARENTS)
    first = Tried(points, losses(points, 0))
    evolution = _genetic()
    return _evolved(losses, keys, evolution, evolution.init(keys, *_floats(*first)), [first])


def cma_es(losses: Evaluate, keys: Keys) -> Tried:
    """CMA-ES from the centre (Hansen & Ostermeier 2001, doi 10.1162/106365601750190398; evosax)."""
    evolution, centre = _cma_es(), jnp.full((len(keys), DIMENSIONS), 0.5)
    return _evolved(losses, keys, evolution, evolution.init(keys, centre), [])


def tpe(losses: Evaluate, keys: Keys) -> Tried:
    """Optuna's default sampler, one trial after the other (Bergstra et al. 2011, NeurIPS 24)."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # or it prints a line a study
    space: Any = {str(d): optuna.distributions.FloatDistribution(0, 1) for d in range(DIMENSIONS)}
    seeds = np.asarray(jax.vmap(jax.random.bits)(keys))
    samplers = [optuna.samplers.TPESampler(seed=int(seed)) for seed in seeds]
    studies = [optuna.create_study(sampler=sampler) for sampler in samplers]
    tried = []
    for before in range(RUNS):
        trials = [study.ask(space) for study in studies]
        points = np.array([[[trial.params[d] for d in space]] for trial in trials])
        found = losses(points, before)
        for study, trial, loss in zip(studies, trials, found[:, 0], strict=True):
            study.tell(trial, float(loss))
        tried.append(Tried(points, found))
    return joined(tried)


def _evolved(
    losses: Evaluate, keys: Keys, evolution: Evolution, states: Any, tried: list[Tried]
) -> Tried:
    """Generations until all trials are spent. What leaves the square is tried at its edge."""
    while (before := sum(each.losses.shape[1] for each in tried)) < RUNS:
        own = jax.vmap(lambda k, n=before: jax.random.fold_in(k, n))(keys)
        with jax.numpy_rank_promotion("allow"):  # evosax promotes
            asked, states = evolution.ask(own, states)
            points = np.clip(np.asarray(asked, float), 0, 1)
            tried.append(Tried(points, losses(points, before)))
            states = evolution.tell(own, asked, *_floats(tried[-1].losses), states)
    return joined(tried)


# Cached: evosax compiles for each object anew.


@cache
def _genetic() -> Evolution:
    algorithm = SimpleGA(PARENTS, jnp.zeros(DIMENSIONS), lambda _: jnp.asarray(MUTATION))
    return _jitted(algorithm, algorithm.default_params.replace(crossover_rate=CROSSOVER))


@cache
def _cma_es() -> Evolution:
    algorithm = CMA_ES(population_size=CANDIDATES, solution=jnp.zeros(DIMENSIONS))
    return _jitted(algorithm, algorithm.default_params.replace(std_init=jnp.asarray(SPREAD)))


def _jitted(algorithm: Any, params: Any) -> Evolution:
    init = jax.vmap(lambda key, *start: algorithm.init(key, *start, params))
    ask = jax.vmap(lambda key, state: algorithm.ask(key, state, params))
    tell = jax.vmap(lambda key, x, loss, state: algorithm.tell(key, x, loss, state, params)[0])
    return Evolution(jax.jit(init), jax.jit(ask), jax.jit(tell))


def _uniform(keys: Keys, count: int) -> Points:
    draw = jax.vmap(lambda key: jax.random.uniform(key, (count, DIMENSIONS)))
    return np.asarray(draw(keys), float)


def _floats(*arrays: np.ndarray) -> list[Array]:
    return [jnp.asarray(each, float) for each in arrays]


def joined(tried: list[Tried]) -> Tried:
    """Trials one after the other."""
    return Tried(*(np.concatenate(each, axis=1) for each in zip(*tried, strict=True)))
