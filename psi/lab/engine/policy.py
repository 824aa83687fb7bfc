"""What chooses the rate: a pair of pure functions, asked once before each epoch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from psi.law.clock import Clock, decide
from psi.law.features import Observation
from psi.law.law import Law
from psi.law.namespace import Namespace


class Policy(NamedTuple):
    """`init(observation) → state`; `step(state, observation) → (state, lr)`. Pure."""

    init: Callable[[Observation], Any]
    step: Callable[[Any, Observation], tuple[Any, Float[Array, ""]]]


def trajectory(rates: Float[Array, " epoch"]) -> Policy:
    """Open loop: α_i = rates[i]."""
    return Policy(init=lambda _: (), step=lambda state, seen: (state, rates[seen.epoch]))


def law_policy(law: Law, epochs: int) -> Policy:
    """Closed loop: the law under the clock's rules, as every adapter applies them."""
    return clock_policy(Clock(law, epochs))


def clock_policy(clock: Clock, psi: Callable[[Array, Namespace], Array] | None = None) -> Policy:
    """The clock's law, or with `psi` that function in its place, under the clock's rules."""

    def step(last: Float[Array, ""], seen: Observation) -> tuple[Array, Array]:
        rate = decide(clock, seen, last, jnp, psi)
        return rate, rate

    return Policy(init=lambda _: jnp.asarray(clock.lowest_rate, dtype=float), step=step)
