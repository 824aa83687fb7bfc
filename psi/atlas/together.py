"""Whole groups of tasks in one program, as an accelerator wants them: every lane takes each step.

A processor's core trains one task after the other (psi.atlas.training). An accelerator is filled by
the lanes of many, and what costs is how often it is told to go on: epochs and steps are one loop
here, a minibatch is one block of rows, and tasks that have come to their end wait for the longest.
"""

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, Key

from psi.atlas.data import Arrays
from psi.atlas.losses import block_of_rows, losses
from psi.atlas.networks import KINDS
from psi.atlas.padding import Shape
from psi.atlas.probes import Weights, probed
from psi.atlas.training import Ends, Plan, Start, Training, evaluated, in_blocks, observe
from psi.lab.optimizers import optimizer

BLOCKS = (64, 256)
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

    As `training.train_tasks`, but for the rounding of sums. Minibatches have at most shape.block
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
    draw, rows = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
    transform = optimizer(plan.optimizer)
    initial, tree = ravel_pytree(KINDS[shape.network].init(shape, arrays.sizes, draw))
    rms = jnp.linalg.norm(initial) / jnp.sqrt(arrays.facts["parameters"])
    start = Start(*evaluated(shape, arrays, tree(initial)), rms)

    def gradient(weights: Weights, i: Array, s: Array) -> tuple[Array, Weights]:
        chosen = block_of_rows(shape, arrays, order, rows, (i, s, jnp.asarray(0)))
        mean = lambda w: losses(shape, arrays, tree(w), chosen).sum() / arrays.batch  # noqa: E731
        return jax.value_and_grad(mean)(weights)

    def of_lane(lane: Any) -> tuple[Array, Array]:
        policy = plan.make_policy(lane)

        def step(n: Array, run: Running) -> Running:
            i, s = n // arrays.steps, n % arrays.steps
            state, rate = policy.step(run.now.policy, observe(arrays, start, run.now, i))
            begun = s == 0
            state = jax.tree.map(partial(jnp.where, begun), state, run.now.policy)
            rate = jnp.where(begun, rate, run.rate)
            loss, slope = gradient(run.now.weights, i, s)
            updates: Any
            updates, own = transform.update(slope, run.now.optimizer, run.now.weights)
            going = i < arrays.epochs
            weights = jnp.where(going, run.now.weights - rate * updates, run.now.weights)
            total = jnp.where(begun, 0.0, run.total) + loss
            over = s == arrays.steps - 1
            mean = jnp.where(over, total / arrays.steps, run.now.loss)
            best = jnp.fmin(run.now.best, mean)
            now = Training(weights, own, state, mean, best, run.now.validation)
            return Running(now, rate, total)

        fresh, zero = transform.init(initial), jnp.zeros(())
        begin = Training(initial, fresh, (), start.loss, start.loss, start.validation)
        begin = begin._replace(policy=policy.init(observe(arrays, start, begin, jnp.asarray(0))))
        # An inner loop of known length goes on without a question to the host.
        few = lambda k, run: jax.lax.fori_loop(  # noqa: E731
            0, AT_ONCE, lambda s, run: step(k * AT_ONCE + s, run), run
        )
        ended = jax.lax.fori_loop(0, -(-most // AT_ONCE), few, Running(begin, zero, zero))
        return evaluated(shape, arrays, tree(ended.now.weights))

    train, validation = in_blocks(of_lane, lanes, shape.lanes)
    again = lambda weights, i, s: gradient(weights, i % arrays.epochs, s)  # noqa: E731
    probes = probed(again, transform, initial, arrays.steps, arrays.batch, probing)
    return Ends(train, validation, probes)


def blocked(shape: Shape, batches: Any) -> Shape:
    """The shape with blocks that hold each of these minibatches."""
    return shape._replace(block=next(block for block in BLOCKS if block >= max(batches)))


@cache
def group_program() -> Any:
    """`train_group`, compiled once for each shape and plan."""
    return jax.jit(train_group, static_argnums=(0, 1))
