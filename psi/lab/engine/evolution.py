"""Several evolution strategies at once, for the best trajectory of a task and laws' constants.

Covariance matrix adaptation (CMA-ES: Hansen & Ostermeier 2001, doi 10.1162/106365601750190398),
separable natural evolution (SNES: Schaul, Glasmachers & Schmidhuber 2011, doi
10.1145/2001576.2001692) and gradients estimated by antithetic steps (OpenES: Salimans et al. 2017,
arXiv 1703.03864), by evosax, vmapped over restarts.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from evosax.algorithms import CMA_ES, SNES, Open_ES
from jaxtyping import Array, Float, Key

from psi.law.checks import unknown

METHODS = ("cma", "snes", "openes")
STRIDE = 0.2
"""Of Adam in an OpenES, in units of the spread."""


def strategy(
    population: int,
    spread: float,
    begin: Float[np.ndarray, "restart dim"],
    key: Key[Array, ""],
    method: str = "cma",
) -> tuple[Callable[..., Any], Callable[..., Any], Any]:
    """(ask, tell, states) of one search from each row of `begin`, by one of METHODS.

    ask(key, states) → (candidates of shape=(restart, population, dim), states);
    tell(key, candidates, fitness, states) → states, lower fitness being better. `states.mean` is
    the centre of each search, `spread` the standard deviation of its first candidates.
    """
    restarts, dimensions = begin.shape
    evolution, params = _evolution(method, population, dimensions, spread)
    split = partial(jax.random.split, num=restarts)

    @jax.jit
    def ask(key: Key[Array, ""], states: Any) -> Any:
        with jax.numpy_rank_promotion("allow"):  # evosax promotes
            return jax.vmap(lambda k, s: evolution.ask(k, s, params))(split(key), states)

    @jax.jit
    def tell(key: Key[Array, ""], found: Array, fitness: Array, states: Any) -> Any:
        each = jax.vmap(lambda k, x, f, s: evolution.tell(k, x, f, s, params)[0])
        with jax.numpy_rank_promotion("allow"):
            return each(split(key), found, fitness, states)

    start = jax.vmap(lambda k, m: evolution.init(k, m, params))
    return ask, tell, start(split(key), jnp.asarray(begin, float))


def _evolution(method: str, population: int, dimensions: int, spread: float) -> tuple[Any, Any]:
    """A strategy of evosax and its parameters. Raises ValueError for another method."""
    size: dict[str, Any] = {"population_size": population, "solution": jnp.zeros(dimensions)}
    if method == "openes":
        steps = optax.adam(STRIDE * spread)
        made = Open_ES(**size, optimizer=steps, std_schedule=optax.constant_schedule(spread))
        return made, made.default_params
    if method not in METHODS:
        raise ValueError(unknown("search method", method, METHODS))
    made = {"cma": CMA_ES, "snes": SNES}[method](**size)
    return made, made.default_params.replace(std_init=jnp.asarray(spread))
