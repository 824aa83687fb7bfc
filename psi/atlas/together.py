"""Whole groups of tasks in one program, as an accelerator wants them: every lane takes each step.

A processor's core trains one task after the other (psi.atlas.training). An accelerator is filled by
the lanes of many, and what costs is how often it is told to go on: epochs and steps are one loop
here, a minibatch is one block of rows, and tasks that have come to their end wait for the longest.
"""

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from psi.atlas.data import Arrays
from psi.atlas.losses import block_of_rows, losses
from psi.atlas.padding import LARGEST, Shape
from psi.atlas.probes import Gradient, Weights
from psi.atlas.training import (
    Ends,
    Plan,
    Start,
    Training,
    evaluated,
    in_blocks,
    observe,
    probes_of,
    started,
    untrained,
)
from psi.lab.engine.policy import Policy

BLOCKS = (64, LARGEST)
"""Rows of a block: the first that holds a minibatch."""
AT_ONCE = 32
"""Steps between two questions whether there are more."""


class Running(NamedTuple):
    """A network before a step."""

    now: Training
    """At the beginning of its epoch, but for weights and optimizer."""
    rate: Float[Array, ""]
    total: Float[Array, ""]
    """Sum of the epoch's losses so far."""


def train_group(
    shape: Shape,
    plan: Plan,
    lanes: Any,
    arrays: Arrays,
    orders: Array,
    keys: Key[Array, "task seed"],
    probing: Bool[Array, "task seed"],
) -> Ends:
    """Lanes of several tasks, each from its seeds; leaves of shape=(task, seed, …).

    As `training.train_tasks`, but for the rounding of sums, and of products where JAX's default
    precision is less than float32 (TF32, on recent cards). Minibatches have at most shape.block
    rows. Raises ValueError where policies see validation losses, which it does not measure.
    """
    if plan.validates:
        raise ValueError("a group's policies see no validation loss; train its tasks one by one")
    most = jnp.max(arrays.steps * arrays.epochs)

    def task(lanes: Any, arrays: Arrays, *seeds: Array) -> Ends:
        return jax.vmap(partial(_unit, shape, plan, most, lanes, arrays))(*seeds)

    return jax.vmap(task)(lanes, arrays, orders, keys, probing)


def _unit(
    shape: Shape,
    plan: Plan,
    most: Int[Array, ""],
    lanes: Any,
    arrays: Arrays,
    order: Array,
    key: Key[Array, ""],
    probing: Bool[Array, ""],
) -> Ends:
    """The lanes of one task from one seed, beside others that take up to `most` steps."""
    start = started(shape, plan, arrays, key)
    gradient = partial(_gradient, shape, arrays, order, start)

    def of_lane(lane: Any) -> tuple[Array, Array]:
        policy = plan.make_policy(lane)
        step = partial(_step, arrays, start, gradient, policy)
        # An inner loop of known length goes on without a question to the host.
        few = lambda k, run: jax.lax.fori_loop(  # noqa: E731
            0, AT_ONCE, lambda s, run: step(k * AT_ONCE + s, run), run
        )
        zero = jnp.zeros(())
        begin = Running(untrained(arrays, start, policy), zero, zero)
        ended = jax.lax.fori_loop(0, -(-most // AT_ONCE), few, begin)
        return evaluated(shape, arrays, start.tree(ended.now.weights))

    train, validation = in_blocks(of_lane, lanes, shape.lanes)
    unseen = jnp.full_like(validation, jnp.nan)
    return Ends(train, validation, probes_of(gradient, arrays, start, probing), unseen, unseen)


def _gradient(
    shape: Shape, arrays: Arrays, order: Array, start: Start, weights: Weights, i: Array, s: Array
) -> tuple[Array, Weights]:
    """Mean loss and gradient of minibatch s of epoch i, which is one block."""
    chosen = block_of_rows(shape, arrays, order, start.rows, (i, s, jnp.asarray(0)))
    mean = lambda w: losses(shape, arrays, start.tree(w), chosen).sum() / arrays.batch  # noqa: E731
    return jax.value_and_grad(mean)(weights)


def _step(
    arrays: Arrays, start: Start, gradient: Gradient, policy: Policy, n: Array, run: Running
) -> Running:
    """Step n of all, s of epoch i; none after the last epoch."""
    now, i, s = run.now, n // arrays.steps, n % arrays.steps
    begun, over, going = s == 0, s == arrays.steps - 1, i < arrays.epochs
    state, rate = policy.step(now.policy, observe(arrays, start, now, i))
    state = jax.tree.map(partial(jnp.where, begun), state, now.policy)
    rate = jnp.where(begun, rate, run.rate)
    loss, slope = gradient(now.weights, i, s)
    updates: Any
    updates, own = start.transform.update(slope, now.optimizer, now.weights)
    weights = jnp.where(going, now.weights - rate * updates, now.weights)
    total = jnp.where(begun, 0.0, run.total) + loss
    mean = jnp.where(over, total / arrays.steps, now.loss)
    # Within an epoch the mean is that of the one before, which the best has seen.
    best = jnp.fmin(now.best, mean)
    return Running(Training(weights, own, state, mean, best, now.validation), rate, total)


def blocked(shape: Shape, batches: Any) -> Shape:
    """The shape with blocks that hold each of these minibatches.

    Raises ValueError where one is larger than all blocks.
    """
    return shape._replace(block=max(blocked_rows(batch) for batch in batches))


def blocked_rows(batch: int) -> int:
    """The rows of the block that holds a minibatch; ValueError where none does."""
    fitting = [block for block in BLOCKS if block >= batch]
    if not fitting:
        raise ValueError(f"batch must be <= {BLOCKS[-1]} on an accelerator, got {batch}")
    return fitting[0]


@cache
def group_program() -> Any:
    """`train_group`, compiled once for each shape and plan."""
    return jax.jit(train_group, static_argnums=(0, 1))
