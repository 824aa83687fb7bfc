"""Schedules: the rate as a function of the epoch alone.

The three plain ones are α_i = peak · shape(i/T), their shapes in psi.lab.data.trajectories.PLAIN.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from psi.bench.baselines.baseline import Baseline
from psi.lab.data.trajectories import PLAIN
from psi.lab.engine.policy import Policy, trajectory

SCHEDULES = tuple(name for name, _ in PLAIN)  # the plain schedules: constant, linear, cosine


def plain_rates(name: str, budget: int, assumed: float = 1.0) -> Float[np.ndarray, " epoch"]:
    """α_i / peak of a plain schedule over T = `budget` epochs; past its end it stays there.

    `assumed`: the budget for which the schedule is made, in units of T.
    """
    t = np.minimum(np.arange(budget) / (assumed * budget), 1.0)
    return dict(PLAIN)[name](t)


def planned(name: str, peak: Float[Array, ""], budget: int) -> Policy:
    """The policy α_i = peak · shape(i/T) of a plain schedule over T = `budget` epochs."""
    return trajectory(peak * jnp.asarray(plain_rates(name, budget), dtype=float))


_BY_STEP: dict[str, Callable[[Any, int], optax.Schedule]] = {
    "constant": lambda peak, _: optax.constant_schedule(peak),
    "linear": lambda peak, steps: optax.linear_schedule(peak, 0.0, steps),
    "cosine": lambda peak, steps: optax.cosine_decay_schedule(peak, steps),
}

FORMULAS = {
    "constant": "α_i = α",
    "linear": "α_i = α (1 − i/T)",
    "cosine": "α_i = α (1 + cos(π i/T))/2",
}
SOURCES = {
    "constant": "Robbins & Monro 1951",
    "linear": "Defazio et al. 2023, arXiv 2310.07831",
    "cosine": "Loshchilov & Hutter 2017, arXiv 1608.03983",
}
ROWS = tuple(
    Baseline(
        name, partial(planned, name), _BY_STEP[name], formula=FORMULAS[name], source=SOURCES[name]
    )
    for name in SCHEDULES
)
