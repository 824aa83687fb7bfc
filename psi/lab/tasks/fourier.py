"""A regression on a smooth random function: random Fourier features (Rahimi & Recht 2007).

f(x) = √(2 / WAVES) Σ_k a_k cos(w_k · x + b_k) with w_k ~ N(0, I / length²), b_k uniform on [0, 2π)
and a_k ~ N(0, 1) is nearly a draw from a Gaussian process of squared-exponential covariance, of
variance 1. x ~ N(0, I), y = f(x) + noise.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from psi.lab.tasks.task import Batch

INPUTS, WAVES = 4, 64
LENGTH, NOISE = (1.0, 4.0), (0.05, 0.5)  # ranges, log-uniform


class Fourier(NamedTuple):
    """A random function, and the noise of the target around it."""

    frequencies: Float[Array, "waves inputs"]  # w
    phases: Float[Array, " waves"]  # b
    weights: Float[Array, " waves"]  # a
    noise: Float[Array, ""]  # standard deviation


def draw(key: Key[Array, ""]) -> Fourier:
    """A function of a random length scale."""
    scales, directions, phases, weights = jax.random.split(key, 4)
    low, high = jnp.log(jnp.array([LENGTH, NOISE])).T
    length, noise = jnp.exp(jax.random.uniform(scales, (2,), minval=low, maxval=high))
    return Fourier(
        jax.random.normal(directions, (WAVES, INPUTS)) / length,
        jax.random.uniform(phases, (WAVES,), maxval=2 * jnp.pi),
        jax.random.normal(weights, (WAVES,)),
        noise,
    )


def values(source: Fourier, x: Float[Array, "rows inputs"]) -> Float[Array, " rows"]:
    """f(x), the best prediction."""
    waves = jnp.cos(x @ source.frequencies.T + source.phases[None])
    return jnp.sqrt(2 / WAVES) * waves @ source.weights


def sample(rows: int, source: Fourier, key: Key[Array, ""]) -> Batch:
    """Fresh rows."""
    where, off = jax.random.split(key)
    x = jax.random.normal(where, (rows, INPUTS))
    return Batch(x, values(source, x) + source.noise * jax.random.normal(off, (rows,)))


def bayes(source: Fourier, batch: Batch, smoothing: float) -> Float[Array, ""]:
    """½ mean (y − f(x))² of a batch; labels are never smoothed."""
    del smoothing
    return jnp.square(batch.y - values(source, batch.x)).mean() / 2
