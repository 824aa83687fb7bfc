"""One epoch of training and one evaluation: what the engine and the benchmark both stand on."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from psi.lab.networks.network import Params
from psi.lab.tasks.task import Arrays, Batch, Functions, Splits

BLOCK = 64  # rows evaluated at once; 32 to 128 are much the same for small networks


class Progress(NamedTuple):
    """A network in training."""

    params: Params
    optimizer: Any
    """The optimizer's state."""


class EpochMeans(NamedTuple):
    """What the minibatches of one epoch showed. Scalars."""

    loss: Float[Array, ""]
    """Mean minibatch loss, each before its update."""
    grad_norm: Float[Array, ""]
    """‖g‖, root mean square."""
    update_norm: Float[Array, ""]
    """‖Δθ‖, root mean square."""


class Losses(NamedTuple):
    """A network evaluated on the three splits. Scalars."""

    full: Float[Array, ""]
    """Training loss."""
    validation: Float[Array, ""]
    accuracy: Float[Array, ""]
    """Share right on the test split."""


Update = Callable[[optax.Updates, Any, Params, Float[Array, ""]], tuple[optax.Updates, Any]]
"""(gradients, optimizer state, params, loss) → (what is added to the params, state)"""


def train_epoch(
    functions: Functions, arrays: Arrays, update: Update, progress: Progress, batches: Batch
) -> tuple[Progress, EpochMeans]:
    """One update a minibatch, in order."""

    def step(now: Progress, batch: Batch) -> tuple[Progress, EpochMeans]:
        loss, grads = jax.value_and_grad(functions.loss, argnums=1)(arrays, now.params, batch)
        updates, state = update(grads, now.optimizer, now.params, loss)
        params = optax.apply_updates(now.params, updates)
        means = EpochMeans(loss, _square_norm(grads), _square_norm(updates))
        return Progress(params, state), means

    progress, seen = jax.lax.scan(step, progress, batches)
    return progress, EpochMeans(
        seen.loss.mean(), jnp.sqrt(seen.grad_norm.mean()), jnp.sqrt(seen.update_norm.mean())
    )


def evaluate(
    functions: Functions,
    arrays: Arrays,
    splits: Splits,
    params: Params,
    key: Key[Array, ""],
    i: Int[Array, ""],
) -> Losses:
    """Training loss, validation loss, test accuracy before epoch i of the run with that key."""
    splits = _before(functions, splits, key, i)
    loss = partial(functions.loss, arrays, params)
    return Losses(
        mean_in_blocks(loss, splits.train),
        mean_in_blocks(loss, splits.validation),
        functions.accuracy(arrays, params, splits.test),
    )


def validation_loss(
    functions: Functions,
    arrays: Arrays,
    splits: Splits,
    params: Params,
    key: Key[Array, ""],
    i: Int[Array, ""],
) -> Float[Array, ""]:
    """The validation loss alone, as `evaluate` has it."""
    rows = _before(functions, splits, key, i).validation
    return mean_in_blocks(partial(functions.loss, arrays, params), rows)


def _before(functions: Functions, splits: Splits, key: Key[Array, ""], i: Int[Array, ""]) -> Splits:
    return functions.before(splits, key, i) if functions.before else splits


def mean_in_blocks(loss: Callable[[Batch], Float[Array, ""]], rows: Batch) -> Float[Array, ""]:
    """A mean over rows, block after block, so that what a population makes of each stays in cache.

    On two cores 32 perceptrons were evaluated 1.4 times as fast, 32 CNNs 3.4 times.
    """
    rest = len(rows.y) % BLOCK
    if len(rows.y) < 2 * BLOCK:
        return loss(rows)

    def add(total: Float[Array, ""], block: Batch) -> tuple[Float[Array, ""], None]:
        return total + _count(block) * loss(block), None

    whole = len(rows.y) - rest
    blocks = jax.tree.map(lambda a: a[:whole].reshape(-1, BLOCK, *a.shape[1:]), rows)
    total = jax.lax.scan(add, jnp.zeros(()), blocks)[0]
    if rest:
        total = add(total, jax.tree.map(lambda a: a[whole:], rows))[0]
    return total / _count(rows)


def _count(rows: Batch) -> Any:
    return len(rows.y) if rows.real is None else rows.real.sum()


def norm(tree: Params) -> Float[Array, ""]:
    """Euclidean norm over all leaves."""
    return jnp.sqrt(_square_norm(tree))


def _square_norm(tree: Params) -> Float[Array, ""]:
    return jnp.asarray(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))
