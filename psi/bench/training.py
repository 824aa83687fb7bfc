"""A training loop as a user of optax writes it, for many seeds at once.

Every method is an optax transformation that is given the loss as `value`; its rate is read from
its state under the name `learning_rate`. Laws and plain schedules go through the same loop.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from psi.lab.engine.run import run_keys
from psi.lab.engine.training import Losses, Progress, evaluate, train_epoch
from psi.lab.tasks.task import Arrays, Functions, Splits, Task
from psi.law.law import Law
from psi.schedulers.optax import scale_by_psi

MakeTransform = Callable[[Any], optax.GradientTransformationExtraArgs]
"""lane → transformation; a lane is any pytree of arrays"""

BySteps = Sequence[Callable[[Any, int], optax.Schedule]]
"""(peak rate, steps) → schedule, for several schedules"""


class Curves(NamedTuple):
    """Trainings, epoch by epoch; each shape=(lanes, seeds, T)."""

    rate: Float[np.ndarray, "lane seed epoch"]  # the learning rate of the last step of the epoch
    train_loss: Float[np.ndarray, "lane seed epoch"]
    val_loss: Float[np.ndarray, "lane seed epoch"]
    accuracy: Float[np.ndarray, "lane seed epoch"]
    test_loss: Float[np.ndarray, "lane seed epoch"]


KEPT = ("lr", "loss_next", "val_loss", "test_accuracy", "test_loss")
"""What the engine's populations call the same."""


class Peak(NamedTuple):
    """One baseline at one peak rate; an axis of lanes in front where they are many."""

    baseline: Any  # which of the baselines that are trained together; dtype=int
    peak: Any  # the highest rate


def with_schedule(
    transform: optax.GradientTransformation, by_steps: BySteps, steps: int, lane: Peak
) -> optax.GradientTransformationExtraArgs:
    """A transformation under one of some schedules over `steps` updates, from the lane's peak."""
    choices = [by_step(lane.peak, steps) for by_step in by_steps]

    def schedule(step: Array) -> Array:
        return jnp.stack([jnp.asarray(choice(step)) for choice in choices])[lane.baseline]

    scale = optax.inject_hyperparams(optax.scale_by_learning_rate)(learning_rate=schedule)
    return optax.with_extra_args_support(optax.chain(transform, scale))


def with_law(law: Law, task: Task) -> optax.GradientTransformationExtraArgs:
    """The task's optimizer under a law, as a user would chain it."""
    facts = task.facts
    rule = scale_by_psi(law, facts.steps, facts.epochs, facts=facts.known())
    return optax.with_extra_args_support(optax.chain(task.functions.optimizer, rule))


def train(
    task: Task, make: MakeTransform, lanes: Any, seeds: np.ndarray, key: Key[Array, ""]
) -> Curves:
    """Train the task under each lane's transformation from each seed."""
    keys = jax.vmap(partial(jax.random.fold_in, key))(seeds)
    lanes = jax.tree.map(jnp.asarray, lanes)
    out = _train(task.functions, make, task.facts.epochs, task.arrays, task.splits, lanes, keys)
    return Curves(*(np.asarray(curve).swapaxes(0, 1) for curve in out))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _train(
    functions: Functions,
    make: MakeTransform,
    epochs: int,
    arrays: Arrays,
    splits: Splits,
    lanes: Any,
    keys: Key[Array, " seed"],
) -> tuple[Float[Array, "seed lane epoch"], ...]:
    def from_seed(key: Key[Array, ""]) -> tuple[Array, ...]:
        return jax.vmap(lambda lane: _run(functions, make(lane), epochs, arrays, splits, key))(
            lanes
        )

    return jax.lax.map(from_seed, keys)


def _run(
    functions: Functions,
    transform: optax.GradientTransformationExtraArgs,
    epochs: int,
    arrays: Arrays,
    splits: Splits,
    key: Key[Array, ""],
) -> tuple[Array, ...]:
    initialisation, order = run_keys(key)
    params = functions.init(arrays, initialisation)

    def update(grads, state, params, loss, batch):
        del batch
        return transform.update(grads, state, params, value=loss)

    def epoch(progress: Progress, i: Array) -> tuple[Progress, tuple[Array, Losses]]:
        batches = functions.epoch(arrays, order, i)
        progress, _ = train_epoch(functions, arrays, update, progress, batches)
        losses = evaluate(functions, arrays, splits, progress, order, i + 1)
        return progress, (_rate(progress.optimizer), losses)

    start = Progress(params, transform.init(params))
    rate, losses = jax.lax.scan(epoch, start, jnp.arange(epochs))[1]
    return rate, losses.full, losses.validation, losses.accuracy, losses.test


def _rate(state: Any) -> Array:
    return optax.tree_utils.tree_get(
        state, "learning_rate", filtering=lambda _, value: isinstance(value, jax.Array)
    )
