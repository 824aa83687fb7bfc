"""A cheap probe for the scale of the rate, from a few minibatches before training.

With g the gradient of a minibatch at the initial weights, u what the optimizer makes of it (its
first update) and H the loss's second derivative, the loss along u is l − α gᵀu + α²/2 uᵀHu, and

    α_0 = Σ gᵀu / Σ |uᵀHu|,        sums over minibatches

is where that parabola is lowest: 1/h for one curvature h, the greedy rate of a noisy quadratic for
many (Schaul et al. 2012, arXiv 1206.1106; LeCun et al. 1993 on Hu from two gradients). It is a
scale, not a rate to train at: a law multiplies it. Absolute values, because curvatures of both
signs cancel in some runs, and an α_0 too large by far ends them (on 18 training tasks that alone
was worth 0.1 nats of regret). Hu is a difference of two gradients, so that a
minibatch costs two gradients and any framework can do it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from psi.lab.engine.run import run_keys
from psi.lab.engine.training import norm
from psi.lab.networks.network import Params
from psi.lab.tasks.task import Arrays, Functions, Task

BATCHES = 2
GRADIENTS = 2 * BATCHES
"""What a probe costs, in steps of training."""
STEP = 1e-3  # of the weights' norm: between float32's rounding and the next kink of a ReLU


def probed_scale(
    task: Task, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]
) -> Float[np.ndarray, " seed"]:
    """α_0 of the runs that the engine starts from these seeds; NaN where it has no curvature."""
    keys = jax.vmap(partial(jax.random.fold_in, key))(seeds)
    return np.asarray(_of_keys(task.functions, task.arrays, keys))


@partial(jax.jit, static_argnums=0)
def _of_keys(
    functions: Functions, arrays: Arrays, keys: Key[Array, " seed"]
) -> Float[Array, " seed"]:
    def of_key(key: Key[Array, ""]) -> Float[Array, ""]:
        initialisation, order = run_keys(key)
        return scale_of_run(functions, arrays, functions.init(arrays, initialisation), order)

    return jax.lax.map(of_key, keys)


def scale_of_run(
    functions: Functions, arrays: Arrays, params: Params, order: Key[Array, ""]
) -> Float[Array, ""]:
    """α_0 at `params`, from the first BATCHES minibatches of a run's first epochs."""
    epochs = [functions.epoch(arrays, order, jnp.asarray(0))]
    while sum(len(epoch.y) for epoch in epochs) < BATCHES:
        epochs.append(functions.epoch(arrays, order, jnp.asarray(len(epochs))))
    first = jax.tree.map(lambda *a: jnp.concatenate(a)[:BATCHES], *epochs)
    return curvature_scale(partial(functions.loss, arrays), functions.optimizer, params, first)


def curvature_scale(
    loss: Callable[[Params, Any], Float[Array, ""]],
    optimizer: optax.GradientTransformation,
    params: Params,
    batches: Any,
) -> Float[Array, ""]:
    """α_0 = Σ gᵀu / Σ |uᵀHu| over minibatches; NaN where that is not positive and finite.

    `loss(params, batch)` is a minibatch's mean loss, `batches` a pytree of minibatches with a
    leading axis for their number, `optimizer` without its learning rate: for SGD
    `optax.identity()`, for heavy ball `optax.trace(0.9)`, for Adam `optax.scale_by_adam()`.
    """
    gradient = jax.grad(loss)
    start = optimizer.init(params)

    def along(batch: Any) -> tuple[Array, Array]:
        g = gradient(params, batch)
        u, _ = optimizer.update(g, start, params)
        far = STEP * jnp.maximum(norm(params), 1.0) / norm(u)
        ahead = gradient(jax.tree.map(lambda p, d: p + far * d, params, u), batch)
        curved = jax.tree.map(lambda a, b: (a - b) / far, ahead, g)
        return _dot(g, u), _dot(u, curved)

    slope, curvature = jax.lax.map(along, batches)
    scale = slope.sum() / jnp.abs(curvature).sum()
    return jnp.where(jnp.isfinite(scale) & (scale > 0), scale, jnp.nan)


def _dot(a: Params, b: Params) -> Float[Array, ""]:
    parts = jax.tree.map(lambda x, y: jnp.vdot(x, y, precision="highest"), a, b)
    return jnp.asarray(sum(jax.tree.leaves(parts)))
