"""Several searches by CMA-ES at once, for the best trajectory of a task and the constants of laws.

Covariance matrix adaptation (Hansen & Ostermeier 2001, doi 10.1162/106365601750190398) by evosax,
vmapped over restarts.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from evosax.algorithms import CMA_ES
from jaxtyping import Array, Float, Key


def strategy(
    population: int, spread: float, begin: Float[np.ndarray, "restart dim"], key: Key[Array, ""]
) -> tuple[Callable[..., Any], Callable[..., Any], Any]:
    """(ask, tell, states) of one search from each row of `begin`.

    ask(key, states) → (candidates of shape=(restart, population, dim), states);
    tell(key, candidates, fitness, states) → states, lower fitness being better. `states.mean` is
    the centre of each search, `spread` the standard deviation of its first candidates.
    """
    restarts, dimensions = begin.shape
    evolution = CMA_ES(population_size=population, solution=jnp.zeros(dimensions))
    params = evolution.default_params.replace(std_init=jnp.asarray(spread))
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
