"""What people use today, a row each: how a peak rate and a budget become a policy.

The three plain schedules are α_i = peak · shape(i/T), with the shapes of
psi.lab.data.trajectories.PLAIN. A user adds a schedule, or a rule that reacts to the loss, as
another row of BASELINES: a contest tunes its peak rate and scores it beside the laws.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from psi.lab.data.trajectories import PLAIN
from psi.lab.engine.policy import Policy, trajectory
from psi.lab.registry import Table

SCHEDULES = tuple(name for name, _ in PLAIN)  # the plain schedules: constant, linear, cosine


class Baseline(NamedTuple):
    """A way to choose the rate whose one free number is its peak rate.

    Args:
        name: What it is called in BASELINES, in a contest and in its results.
        make: `make(peak, budget)` → policy. `peak` is a scalar array, the highest rate; `budget`
            is T in epochs, an int. Pure JAX: a contest trains many peaks in one program.
        by_step: `by_step(peak, steps)` → optax schedule, for a schedule that changes its rate
            within an epoch. A contest then trains by it instead of by `make`.

    A rule that halves its rate when the loss has not fallen:

    >>> import jax.numpy as jnp
    >>> from psi.bench.baselines import BASELINES, Baseline
    >>> from psi.lab.engine.policy import Policy
    >>> def halving(peak, budget):
    ...     def step(state, seen):
    ...         rate, last = state
    ...         rate = jnp.where(seen.loss < last, rate, rate / 2)
    ...         return (rate, seen.loss), rate
    ...     return Policy(lambda seen: (peak, jnp.full_like(seen.loss, jnp.inf)), step)
    >>> BASELINES.add(Baseline("halving, from the docs", halving))
    >>> "halving, from the docs" in BASELINES
    True
    """

    name: str
    make: Callable[[Float[Array, ""], int], Policy]
    by_step: Callable[[Any, int], optax.Schedule] | None = None


def plain_rates(name: str, budget: int, assumed: float = 1.0) -> Float[np.ndarray, " epoch"]:
    """α_i / peak of a plain schedule over T = `budget` epochs; past its end it stays there.

    `assumed`: the budget for which the schedule is made, in units of T.
    """
    t = np.minimum(np.arange(budget) / (assumed * budget), 1.0)
    return dict(PLAIN)[name](t)


def _planned(name: str, peak: Float[Array, ""], budget: int) -> Policy:
    return trajectory(peak * jnp.asarray(plain_rates(name, budget), dtype=float))


_BY_STEP: dict[str, Callable[[Any, int], optax.Schedule]] = {
    "constant": lambda peak, _: optax.constant_schedule(peak),
    "linear": lambda peak, steps: optax.linear_schedule(peak, 0.0, steps),
    "cosine": lambda peak, steps: optax.cosine_decay_schedule(peak, steps),
}

BASELINES: Table[Baseline] = Table(
    "baseline", [Baseline(name, partial(_planned, name), _BY_STEP[name]) for name in SCHEDULES]
)
"""Every baseline by name. `BASELINES.add(Baseline(name, make))` appends one."""
