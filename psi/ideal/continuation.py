"""What follows the candidate rate: the continuation π, part of an ideal rate's label.

A candidate α is played in epoch i; until the end i + H the rates go on as

    constant   α_j = α
    linear     α_j = α (i + H − j)/H, to zero after the last epoch (the default)
    a law      α_j = Ψ(ε_j, j), whatever α was
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from psi.lab.engine.policy import Policy, Ruled, clock_policy
from psi.law.clock import Clock
from psi.law.features import Observation


class Candidate(NamedTuple):
    """A lane of a branch. Scalars; an axis of lanes in front of each where they are many."""

    rate: Any
    """α of epoch i"""
    start: Any
    """i"""
    end: Any
    """i + H"""


class Continuation(NamedTuple):
    """A continuation: one object a name, because it is part of a compiled program's key."""

    name: str
    policy: Callable[[Candidate], Policy]
    """Plays the candidate in epoch `start` and goes on until `end`."""


def _constant(candidate: Candidate) -> Policy:
    return _open_loop(candidate, lambda _: jnp.ones(()))


def _linear(candidate: Candidate) -> Policy:
    length = candidate.end - candidate.start
    return _open_loop(candidate, lambda j: (candidate.end - j) / length)


def _open_loop(candidate: Candidate, shape: Callable[[Int[Array, ""]], Float[Array, ""]]) -> Policy:
    return Policy(
        init=lambda _: (), step=lambda state, seen: (state, candidate.rate * shape(seen.epoch))
    )


CONSTANT = Continuation("constant", _constant)
LINEAR = Continuation("linear", _linear)
CONTINUATIONS = (CONSTANT, LINEAR)


def law_continuation(name: str, clock: Clock) -> Continuation:
    """The candidate, then a law under the clock's rules."""
    ruled = clock_policy(clock)

    def policy(candidate: Candidate) -> Policy:
        def step(state: Ruled, seen: Observation) -> tuple[Ruled, Array]:
            after, chosen = ruled.step(state, seen)
            rate = jnp.where(seen.epoch == candidate.start, candidate.rate, chosen)
            return after._replace(last=rate), rate

        return ruled._replace(step=step)

    return Continuation(name, policy)
