"""Descent along hypergradients: the derivative of whole trainings by the constants of a policy.

Derivatives are carried forward through every step (Franceschi et al. 2017, arXiv 1703.01785): a
training of any length takes no more memory, and as many directions as there are constants cost
about as much as so many lanes. Where the training is chaotic they say nothing of the mean over
seeds (Metz et al. 2019, arXiv 1810.10180); so each task's is cut to a length of CUT.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from psi.atlas.training import Plan
from psi.fit.feedback.objective import importance
from psi.fit.feedback.pool import Pool, scored, slopes
from psi.ideal.returns import RESOLUTION

CUT = 1.0
"""Nats of a task's score by one spread of the constants, at most."""
STEP = 0.1
"""Of Adam, in spreads of the constants."""


class Descent(NamedTuple):
    """Where a descent is, in units of each constant's spread."""

    z: Float[Array, " constant"]
    adam: optax.OptState


def begun(count: int) -> Descent:
    """At the start of a search."""
    z = jnp.zeros(count)
    return Descent(z, optax.adam(STEP).init(z))


def descended(
    state: Descent,
    pool: Pool,
    plan: Plan,
    at: Float[np.ndarray, " constant"],
    directions: Float[np.ndarray, "direction constant"],
    seed: Int[np.ndarray, " seed"],
) -> tuple[Descent, float]:
    """One step of Adam against the objective's gradient, and the mean regret before it.

    Args:
        state: where the descent is.
        pool: the tasks of this step.
        plan: what is trained, its lanes `Along`.
        at: the constants at `state.z`.
        directions: the constants' change by each entry of z.
        seed: of initial weights and minibatches.
    """
    loss, slope = slopes(pool, plan, at, directions, seed)
    regret = scored(pool, loss[:, None])[:, 0] - pool.reference
    own = steepness(pool, loss)[:, None] * slope
    length = np.linalg.norm(own, axis=1, keepdims=True)
    own = own * np.minimum(1, CUT / np.maximum(length, 1e-12))
    gradient = jnp.asarray(importance(regret) @ own, state.z.dtype)
    change, adam = optax.adam(STEP).update(gradient, state.adam)
    return Descent(jnp.asarray(optax.apply_updates(state.z, change)), adam), float(regret.mean())


def steepness(pool: Pool, loss: Float[np.ndarray, " task"]) -> Float[np.ndarray, " task"]:
    """The derivative of each task's score by its loss [1/nats]; 0 where the score is clipped."""
    span, excess = pool.chance - pool.floor, loss - pool.floor
    inside = (excess > 0) & (excess < 2 * span)
    return np.where(inside, 1 / (np.clip(excess, 0, 2 * span) + RESOLUTION * span), 0)
