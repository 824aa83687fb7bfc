"""Many rates on one task in one program that tasks share: steps, budget and sizes are its input.

A unit of work is a task from one seed: its lanes share initial weights and minibatches, and are
vmapped. Several tasks are trained side by side, one on each core, their seeds one after the other.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, Key

from psi.atlas.data import Arrays
from psi.atlas.losses import block_of_rows, losses, mean_loss, rows_at
from psi.atlas.networks import KINDS
from psi.atlas.padding import Shape
from psi.atlas.probes import Gradient, Probes, Weights, probed
from psi.atlas.slopes import Smooth, by_reverse, mapped, plainly, smooth_optimizer
from psi.lab.engine.devices import one_core_options, over_devices
from psi.lab.engine.policy import Policy
from psi.lab.networks.network import Params
from psi.lab.optimizers import optimizer
from psi.law.features import Observation


class Lane(NamedTuple):
    """A plain schedule: the place of its shape in SCHEDULES, and its peak rate."""

    schedule: Int[Array, "*lane"]
    peak: Float[Array, "*lane"]


class Ends(NamedTuple):
    """What trainings came to, and what was measured before their first step."""

    train: Float[Array, "*seed lane"]
    """Loss on the training rows after the last epoch; of a stream the validation loss."""
    validation: Float[Array, "*seed lane"]
    probes: Probes
    """Of each seed."""
    test: Float[Array, "*seed lane"]
    """Where policies see validation losses, the loss on the rows that they do not; else NaN."""
    slope: Float[Array, "*seed lane"]
    """Where lanes are `Along`, the derivative of `test`; else NaN."""


class Plan(NamedTuple):
    """What a program trains, beside its shape; the same object for the same program."""

    optimizer: str
    make_policy: Callable[[Any], Policy]
    """A module's function, from one lane to its policy."""
    validates: bool = False
    """Whether policies see the loss on the first half of the validation rows before each epoch."""
    slopes: bool = False
    """Whether lanes are `Along`, constants of a policy: see psi.atlas.slopes."""
    measures: bool = False
    """Whether policies see the norms of gradients, updates and weights."""


SCHEDULES: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("constant", jnp.ones_like),
    ("linear", lambda t: 1 - t),
    ("cosine", lambda t: (1 + jnp.cos(jnp.pi * t)) / 2),
)
"""Shapes over t = i/T."""


def plain(lane: Lane) -> Policy:
    """The policy of a plain schedule."""

    def step(state: tuple[()], seen: Observation) -> tuple[tuple[()], Array]:
        branches = [function for _, function in SCHEDULES]
        return state, lane.peak * jax.lax.switch(lane.schedule, branches, seen.epoch / seen.budget)

    return Policy(lambda _: (), step)


class Start(NamedTuple):
    """What is known of a network before its first step."""

    loss: Float[Array, ""]
    """ε_0"""
    validation: Float[Array, ""]
    weight_rms: Float[Array, ""]
    initial: Weights
    tree: Callable[[Weights], Params]
    """The weights as the network's parameters."""
    transform: Any
    """Of the optimizer."""
    rows: Key[Array, ""]
    """What minibatches of a stream are drawn from."""


class Training(NamedTuple):
    """A network before epoch i."""

    weights: Weights
    optimizer: Any
    policy: Any
    loss: Float[Array, ""]
    """ε_i: mean minibatch loss of epoch i−1; ε_0 before the first."""
    best: Float[Array, ""]
    validation: Float[Array, ""]
    """v_i, where it is measured."""
    norms: tuple[Float[Array, ""], ...] = ()
    """(‖g‖, ‖Δθ‖), root mean squares over the steps of epoch i−1, first 0; (): not measured."""


def observe(arrays: Arrays, start: Start, now: Training, i: Int[Array, ""]) -> Observation:
    """What a policy sees before epoch i."""
    unseen = jnp.full((), jnp.nan)
    gradient, update = now.norms or (unseen, unseen)
    return Observation(
        epoch=i,
        budget=arrays.epochs,
        loss=now.loss,
        initial_loss=start.loss,
        best_loss=now.best,
        grad_norm=gradient,
        update_norm=update,
        weight_norm=jnp.linalg.norm(now.weights) if now.norms else unseen,
        val_loss=now.validation,
        **arrays.facts | {"weight_rms": start.weight_rms},
    )


def train_unit(
    shape: Shape,
    plan: Plan,
    lanes: Any,
    arrays: Arrays,
    order: Array,
    key: Key[Array, ""],
    probing: Bool[Array, ""],
) -> Ends:
    """The lanes of one task from one seed."""
    start = started(shape, plan, arrays, key)
    # Slopes are of `test` alone: nothing of the other losses is differentiated.
    smooth, held = (by_reverse, jax.lax.stop_gradient) if plan.slopes else (plainly, plainly)
    evaluate = lambda weights: evaluated(shape, arrays, start.tree(held(weights)))  # noqa: E731

    def half(weights: Weights, second: bool) -> Array:
        return half_loss(shape, arrays, start.tree(weights), second, smooth)

    gradient = partial(minibatch_gradient, shape, start.tree, arrays, order, start.rows)

    def of_lane(lane: Any) -> tuple[Array, ...]:
        policy = plan.make_policy(lane)

        def epoch(i: Array, now: Training) -> Training:
            state, rate = policy.step(now.policy, observe(arrays, start, now, i))

            def step(s: Array, carry: tuple[Any, ...]) -> tuple[Any, ...]:
                weights, own, total = carry
                loss, slope = gradient(weights, i, s)
                updates: Any
                updates, own = start.transform.update(slope, own, weights)
                change = rate * updates
                more = (loss, slope @ slope, change @ change)[: len(total)]
                return weights - change, own, jax.tree.map(jnp.add, total, more)

            begin = now.weights, now.optimizer, (jnp.zeros(()),) * (3 if plan.measures else 1)
            weights, own, total = jax.lax.fori_loop(0, arrays.steps, step, begin)
            seen = half(weights, False) if plan.validates else now.validation
            loss, *squares = (each / arrays.steps for each in total)
            norms = tuple(map(jnp.sqrt, squares))
            return Training(weights, own, state, loss, jnp.fmin(now.best, loss), seen, norms)

        begin = untrained(arrays, start, policy, plan.measures)
        ended = jax.lax.fori_loop(0, arrays.epochs, epoch, begin).weights
        none = jnp.full((), jnp.nan)
        return *evaluate(ended), half(ended, True) if plan.validates else none, none

    one, each = mapped(of_lane, lanes, plan.slopes)
    train, validation, test, slope = in_blocks(one, each, shape.lanes)
    return Ends(train, validation, probes_of(gradient, arrays, start, probing), test, slope)


def started(shape: Shape, plan: Plan, arrays: Arrays, key: Key[Array, ""]) -> Start:
    """A seed's initial weights, with what is known of them."""
    draw, rows = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
    # One vector, so that an update is one loop over memory and not one for each matrix.
    initial, tree = ravel_pytree(KINDS[shape.network].init(shape, arrays.sizes, draw))
    rms = jnp.linalg.norm(initial) / jnp.sqrt(arrays.facts["parameters"])
    loss, validation = evaluated(shape, arrays, tree(initial))
    if plan.validates:
        validation = half_loss(shape, arrays, tree(initial), False)
    transform = (smooth_optimizer if plan.slopes else optimizer)(plan.optimizer)
    return Start(loss, validation, rms, initial, tree, transform, rows)


def untrained(arrays: Arrays, start: Start, policy: Policy, measures: bool = False) -> Training:
    """The network before its first epoch."""
    fresh = start.transform.init(start.initial)
    begin = Training(start.initial, fresh, (), start.loss, start.loss, start.validation)
    begin = begin._replace(norms=(jnp.zeros(()),) * 2 if measures else ())
    return begin._replace(policy=policy.init(observe(arrays, start, begin, jnp.asarray(0))))


def probes_of(gradient: Gradient, arrays: Arrays, start: Start, probing: Bool[Array, ""]) -> Probes:
    """The probes of a seed."""
    # Short trainings have fewer minibatches than a ramp has steps: it begins with them again.
    again = lambda weights, i, s: gradient(weights, i % arrays.epochs, s)  # noqa: E731
    return probed(again, start.transform, start.initial, arrays.steps, arrays.batch, probing)


def in_blocks(one: Callable[[Any], Any], lanes: Any, most: int) -> Any:
    """one(lane) for every lane: blocks of about `most`, equally long, one after the other."""
    count = len(jax.tree.leaves(lanes)[0])
    blocks = -(-count // most)
    width = -(-count // blocks)
    index = np.minimum(np.arange(blocks * width), count - 1).reshape(blocks, width)
    found = jax.lax.map(jax.vmap(one), jax.tree.map(lambda a: a[index], lanes))
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:count], found)


def minibatch_gradient(
    shape: Shape,
    tree: Callable[[Weights], Params],
    arrays: Arrays,
    order: Array,
    key: Key[Array, ""],
    weights: Weights,
    i: Int[Array, ""],
    s: Int[Array, ""],
) -> tuple[Float[Array, ""], Weights]:
    """Mean loss and gradient of minibatch s of epoch i, added up over its blocks of rows.

    Blocks of twice the shape's rows as far as they are full, since a small network takes only a
    fifth longer over 32 rows at once than over 16; then the shape's own.
    """
    params, wide = tree(weights), shape._replace(block=2 * shape.block)

    def add(block: Shape, first: Array, total: tuple[Array, Params]) -> tuple[Array, Params]:
        part = block_of_rows(block, arrays, order, key, (i, s, first))
        loss = lambda params: losses(block, arrays, params, part).sum()  # noqa: E731
        return jax.tree.map(jnp.add, total, jax.value_and_grad(loss)(params))

    begin = arrays.batch // wide.block * wide.block
    count = -(-(arrays.batch - begin) // shape.block)
    total = jnp.zeros(()), jax.tree.map(jnp.zeros_like, params)
    total = jax.lax.fori_loop(
        0, begin // wide.block, lambda b, total: add(wide, b * wide.block, total), total
    )
    loss, slope = jax.lax.fori_loop(
        0, count, lambda b, total: add(shape, begin + b * shape.block, total), total
    )
    return loss / arrays.batch, ravel_pytree(slope)[0] / arrays.batch


def evaluated(shape: Shape, arrays: Arrays, params: Params) -> tuple[Array, Array]:
    """(training loss, validation loss); of a stream the latter twice."""
    evaluate = partial(mean_loss, shape, arrays, params)
    held = lambda row: (arrays.val_x[row], arrays.val_y[row])  # noqa: E731
    validation = evaluate(held, arrays.val_rows)
    own = partial(rows_at, shape, arrays)
    train = evaluate(own, jnp.where(arrays.stream, 0, arrays.rows))
    return jnp.where(arrays.stream, validation, train), validation


def half_loss(
    shape: Shape, arrays: Arrays, params: Params, second: bool, smooth: Smooth = plainly
) -> Float[Array, ""]:
    """The loss on the first or second half of the validation rows."""
    middle = arrays.val_rows // 2
    first, count = (middle, arrays.val_rows - middle) if second else (0, middle)
    rows = lambda row: (arrays.val_x[first + row], arrays.val_y[first + row])  # noqa: E731
    return mean_loss(shape, arrays, params, rows, count, smooth)


def train_tasks(
    shape: Shape,
    plan: Plan,
    devices: int,
    lanes: Any,
    arrays: Arrays,
    orders: Array,
    keys: Key[Array, "task seed"],
    probing: Bool[Array, "task seed"],
) -> Ends:
    """Lanes of several tasks, each from its seeds; leaves of shape=(task, seed, …)."""

    def task(lanes: Any, arrays: Arrays, *seeds: Array) -> Ends:
        each = partial(train_unit, shape, plan, lanes, arrays)
        return jax.lax.map(lambda one: each(*one), seeds)

    return over_devices(task, devices, lanes, arrays, orders, keys, probing)


@cache
def program(backend: str) -> Callable[..., Ends]:
    """`train_tasks`, compiled once for each shape, plan and number of devices."""
    options = one_core_options(backend)
    return jax.jit(train_tasks, static_argnums=(0, 1, 2), compiler_options=options)
