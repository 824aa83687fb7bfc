"""One training run: its keys, its state between two epochs, and one epoch more."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from psi.lab.engine.training import EpochMeans, Losses, Progress, evaluate, norm, train_epoch
from psi.lab.networks.network import Params
from psi.lab.tasks.task import Arrays, Batch, Functions, Splits
from psi.law.features import Observation


def run_keys(key: Key[Array, ""]) -> tuple[Key[Array, ""], Key[Array, ""]]:
    """(key of the initialisation, key of the minibatches) of a run of key fold_in(root, seed).

    The second one orders fixed rows, and draws what a stream samples.
    """
    return jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)


class Run(NamedTuple):
    """The state of a run before epoch i."""

    progress: Progress
    order: Key[Array, ""]  # the key of its minibatches, the second of `run_keys`
    seen: EpochMeans  # means of epoch i−1; before the first epoch the training loss, and norms of 0
    initial: Float[Array, ""]  # ε_0, the training loss before the first step
    best: Float[Array, ""]  # the lowest running loss so far
    facts: dict[str, Float[Array, ""]]  # by the names of an `Observation`


def begin(
    functions: Functions,
    arrays: Arrays,
    splits: Splits,
    key: Key[Array, ""],
    facts: Mapping[str, Any] | None = None,
) -> tuple[Run, Losses]:
    """A run before its first epoch, and its losses there.

    `facts` are those of the task (`task.facts.known().values()`), arguments of the program and no
    part of it, since tasks share programs; None: P alone, with padding.
    """
    initialisation, order = run_keys(key)
    params = functions.init(arrays, initialisation)
    progress = Progress(params, functions.optimizer.init(params))
    losses = evaluate(functions, arrays, splits, progress, order, jnp.asarray(0))
    zero = jnp.zeros_like(losses.full)
    seen = EpochMeans(losses.full, zero, zero)
    known = {"parameters": optax.tree.size(params)} if facts is None else facts
    known = {name: jnp.asarray(value, float) for name, value in known.items()}
    known["weight_rms"] = norm(params) / jnp.sqrt(known["parameters"])
    return Run(progress, order, seen, losses.full, losses.full, known), losses


def one_epoch(
    functions: Functions, arrays: Arrays, run: Run, lr: Float[Array, ""], i: Int[Array, ""]
) -> Run:
    """The run after epoch i at the rate α_i = `lr`."""
    optimizer = optax.with_extra_args_support(functions.optimizer)

    def update(
        grads: Params, state: Any, params: Params, loss: Array, batch: Batch
    ) -> tuple[Params, Any]:
        def at(params: Params, rate: Array | None = None) -> Array:
            del rate  # optax's line searches refuse what their function does not take
            return functions.loss(arrays, params, batch)

        seen = {"value": loss, "grad": grads, "value_fn": at, "rate": lr}
        updates, state = optimizer.update(grads, state, params, **seen)
        return jax.tree.map(lambda u: -lr * u, updates), state

    batches = functions.epoch(arrays, run.order, i)
    progress, seen = train_epoch(functions, arrays, update, run.progress, batches)
    return run._replace(progress=progress, seen=seen, best=jnp.fmin(run.best, seen.loss))


def observe(
    run: Run,
    i: Int[Array, ""],
    epochs: Int[Array, ""] | int,
    val_loss: Float[Array, ""] | float = math.nan,
) -> Observation:
    """What a policy sees of a run before epoch i, T = `epochs` being its budget."""
    return Observation(
        epoch=i,
        budget=jnp.asarray(epochs),
        loss=run.seen.loss,
        initial_loss=run.initial,
        best_loss=run.best,
        grad_norm=run.seen.grad_norm,
        update_norm=run.seen.update_norm,
        weight_norm=norm(run.progress.params),
        val_loss=val_loss,
        **run.facts,
    )
