"""What a few minibatches say of a task before its first step.

g is the gradient of a minibatch of B rows, u the optimizer's first update, H the second derivative:

    noise_scale      tr Σ / |G|², in rows                McCandlish et al. 2018, arXiv 1812.06162
    curvature_scale  Σ gᵀu / Σ |uᵀHu|, as in psi.lab.engine.probe
    range_rate       the rate at which the loss is lowest while the rate rises, Smith 2017, arXiv
                     1506.01186: 40 steps, from 1e-5 to 10
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

BATCHES = 4
RAMP = 40  # steps
DECADES = 6
STEP = 1e-3  # of the weights' norm
SMOOTH = 0.8

Weights = Float[Array, " weight"]
Gradient = Callable[[Weights, Int[Array, ""], Int[Array, ""]], tuple[Array, Weights]]
"""(parameters, i, s) → mean loss and gradient of minibatch s of epoch i"""


class Probes(NamedTuple):
    """Measured at the initial weights; of each seed."""

    initial_loss: Float[Array, "*seed"]
    """Mean over minibatches."""
    weight_norm: Float[Array, "*seed"]
    grad_norm: Float[Array, "*seed"]
    """Root mean square over minibatches."""
    noise_scale: Float[Array, "*seed"]
    curvature_scale: Float[Array, "*seed"]
    range_rate: Float[Array, "*seed"]


class Sums(NamedTuple):
    """Over minibatches."""

    loss: Float[Array, ""]
    gradient: Weights
    square: Float[Array, ""]
    slope: Float[Array, ""]
    curvature: Float[Array, ""]


def probed(
    gradient: Gradient,
    transform: optax.GradientTransformation,
    params: Weights,
    steps: Int[Array, ""],
    batch: Int[Array, ""],
    wanted: Bool[Array, ""],
) -> Probes:
    """The probes of one seed, `steps` an epoch; NaN, and quick, where they are not wanted."""
    # A difference of gradients would drown in the rounding of a card's short products.
    gradient = jax.default_matmul_precision("highest")(gradient)
    fresh, zero = transform.init(params), jnp.zeros(())

    def add(k: Array, sums: Sums) -> Sums:
        loss, g = gradient(params, k // steps, k % steps)
        u: Any = transform.update(g, fresh, params)[0]
        far = STEP * jnp.maximum(jnp.linalg.norm(params), 1.0) / jnp.linalg.norm(u)
        _, ahead = gradient(params + far * u, k // steps, k % steps)
        curvature = jnp.abs(u @ (ahead - g) / far)
        return jax.tree.map(jnp.add, sums, Sums(loss, g, g @ g, g @ u, curvature))

    count = jnp.where(wanted, BATCHES, 0)
    start = Sums(zero, jnp.zeros_like(params), zero, zero, zero)
    sums = jax.lax.fori_loop(0, count, add, start)
    each, mean = sums.square / count, (sums.gradient / count) @ (sums.gradient / count)
    signal = (count * mean - each) / (count - 1)  # unbiased, |G|²
    return Probes(
        sums.loss / count,
        jnp.linalg.norm(params),
        jnp.sqrt(each),
        batch * (each - signal) / signal,
        sums.slope / sums.curvature,
        _ramp(gradient, transform, params, steps, jnp.where(wanted, RAMP, 0)),
    )


def _ramp(
    gradient: Gradient,
    transform: optax.GradientTransformation,
    params: Weights,
    steps: Int[Array, ""],
    count: Int[Array, ""],
) -> Float[Array, ""]:
    """The rate of the lowest smoothed loss while the rate rises."""

    def step(k: Array, carry: tuple[Any, ...]) -> tuple[Any, ...]:
        params, state, smooth, least, best = carry
        rate = 10.0 ** (DECADES * k / (RAMP - 1) - 5)
        loss, g = gradient(params, k // steps, k % steps)
        u: Any
        u, state = transform.update(g, state, params)
        smooth = jnp.where(k == 0, loss, SMOOTH * smooth + (1 - SMOOTH) * loss)
        lower = smooth < least
        best = jnp.where(lower, rate, best)
        return params - rate * u, state, smooth, jnp.fmin(smooth, least), best

    zero = jnp.zeros(())
    start = params, transform.init(params), zero, zero + jnp.inf, zero
    return jax.lax.fori_loop(0, count, step, start)[-1]
