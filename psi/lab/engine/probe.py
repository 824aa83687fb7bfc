"""Measure the scale of a task's learning rate from a few minibatches before training.

With g the gradient of a minibatch at the initial weights, u what the optimizer makes of it (its
first update) and H the loss's second derivative, the loss along u is l − α gᵀu + α²/2 uᵀHu, and

    α_0 = Σ gᵀu / Σ |uᵀHu|,        sums over minibatches

is where that parabola is lowest: 1/h where there is one curvature h, the greedy rate of a noisy
quadratic where there are many (Schaul et al. 2012, arXiv 1206.1106). It is a scale, not a rate to
train at: a law multiplies it. Curvatures enter by their absolute values, because in some runs those
of both signs cancel, and an α_0 that is much too large makes the run diverge (on 18 training tasks
absolute values lowered the regret by 0.1 nats). Hu is a difference of two gradients (LeCun et al.
1993), so that a minibatch costs two gradients in any framework.
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
GRADIENTS = 2 * BATCHES  # gradients that a probe costs: as many as that many steps of training
# Of the weights' norm: larger than the rounding of float32, too small to cross many kinks of ReLUs.
STEP = 1e-3


def probed_scale(
    task: Task, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]
) -> Float[np.ndarray, " seed"]:
    """α_0 of the runs that `population` trains from these seeds and key; NaN where none."""
    return _of_runs(task, seeds, key, scale_of_run)


def initial_grad_norms(
    task: Task, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]
) -> Float[np.ndarray, " seed"]:
    """‖g_0‖ of the runs that `population` trains from these seeds and key: of the first minibatch.

    It costs nothing where training follows, whose first step has the same gradient.
    """
    return _of_runs(task, seeds, key, _grad_norm)


def initial_weight_rms(
    task: Task, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]
) -> Float[np.ndarray, " seed"]:
    """The root mean square of the initial weights of the runs that `population` trains."""
    return _of_runs(task, seeds, key, _weight_rms)


OfRun = Callable[[Functions, Arrays, Params, Key[Array, ""]], Float[Array, ""]]
"""(functions, arrays, initial parameters, key of the order of minibatches) → a number"""


def _of_runs(
    task: Task, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""], of_run: OfRun
) -> Float[np.ndarray, " seed"]:
    keys = jax.vmap(partial(jax.random.fold_in, key))(seeds)
    return np.asarray(_of_keys(task.functions, task.arrays, keys, of_run))


@partial(jax.jit, static_argnums=(0, 3))
def _of_keys(
    functions: Functions, arrays: Arrays, keys: Key[Array, " seed"], of_run: OfRun
) -> Float[Array, " seed"]:
    def of_key(key: Key[Array, ""]) -> Float[Array, ""]:
        initialisation, order = run_keys(key)
        return of_run(functions, arrays, functions.init(arrays, initialisation), order)

    return jax.lax.map(of_key, keys)


def _grad_norm(
    functions: Functions, arrays: Arrays, params: Params, order: Key[Array, ""]
) -> Float[Array, ""]:
    first = jax.tree.map(lambda a: a[0], functions.epoch(arrays, order, jnp.asarray(0)))
    return norm(jax.grad(partial(functions.loss, arrays))(params, first))


def _weight_rms(
    functions: Functions, arrays: Arrays, params: Params, order: Key[Array, ""]
) -> Float[Array, ""]:
    del functions, arrays, order
    return norm(params) / jnp.sqrt(optax.tree.size(params))


def scale_of_run(
    functions: Functions, arrays: Arrays, params: Params, order: Key[Array, ""]
) -> Float[Array, ""]:
    """α_0 at `params`, from the first two minibatches of the run whose batch order has this key."""
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
    """The scale of the rate, α_0 = Σ gᵀu / Σ |uᵀHu| over minibatches, at given parameters.

    g is a minibatch's gradient, u the optimizer's first update, H the second derivative.

    Args:
        loss: (parameters, minibatch) → mean loss of the minibatch, a scalar.
        optimizer: the optimizer without a learning rate: for SGD `optax.identity()`, for heavy ball
            `optax.trace(0.9)`, for Adam `optax.scale_by_adam()`.
        params: the parameters, any pytree of arrays.
        batches: a pytree of minibatches with a leading axis for their number; two are enough.

    Returns:
        α_0, a scalar in the unit of a learning rate; NaN where it is not positive and finite.

    For the loss ½ · 4 θ² it is 1/4:

    >>> import jax.numpy as jnp
    >>> import optax
    >>> from psi.lab.engine.probe import curvature_scale
    >>> loss = lambda theta, batch: 2.0 * (theta**2).sum() * batch.mean()
    >>> scale = curvature_scale(loss, optax.identity(), jnp.ones(1), jnp.ones((2, 1)))
    >>> print(f"{scale:.3f}")
    0.250
    """
    gradient = jax.grad(loss)
    fresh = optimizer.init(params)

    def terms(batch: Any) -> tuple[Array, Array]:
        g = gradient(params, batch)
        u, _ = optimizer.update(g, fresh, params)
        far = STEP * jnp.maximum(norm(params), 1.0) / norm(u)
        ahead = gradient(jax.tree.map(lambda p, d: p + far * d, params, u), batch)
        curved = jax.tree.map(lambda a, b: (a - b) / far, ahead, g)
        return _dot(g, u), _dot(u, curved)

    slope, curvature = jax.lax.map(terms, batches)
    scale = slope.sum() / jnp.abs(curvature).sum()
    return jnp.where(jnp.isfinite(scale) & (scale > 0), scale, jnp.nan)


def _dot(a: Params, b: Params) -> Float[Array, ""]:
    parts = jax.tree.map(lambda x, y: jnp.vdot(x, y, precision="highest"), a, b)
    return jnp.asarray(sum(jax.tree.leaves(parts)))
