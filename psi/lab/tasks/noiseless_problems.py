"""Problems without noise whose ideal learning rates are known exactly, and a saddle.

* Power law: f = c |x|^p. One step of the ideal rate, p times Polyak's (Polyak 1987), reaches the
  minimum. Sign descent is its case p = 2, c = h/2, meant for the optimizer `sign`.
* Exponential tail: f = exp(−x), the loss of separable classification as its margin x grows, where
  the rate must rise as the loss falls (Zhang et al. 2025, arXiv 2504.04105).
* Spectrum: a quadratic whose curvatures are the T + 1 extrema of the Chebyshev polynomial of degree
  T on [μ, L], weighted so that Chebyshev's rates (Agarwal et al. 2021, arXiv 2103.01338) are the
  best T rates for this very quadratic, and not only for the worst one with curvatures in [μ, L].
* Lipschitz: G ‖x‖_∞, the function behind lower bounds for convex G-Lipschitz functions (Nemirovski
  & Yudin 1983; Nesterov 2004, section 3.2.1): every step moves one coordinate only, by a distance
  that does not shrink near the minimum.
* Saddle: a/4 (y² − 1)² + b/2 x², left along y at a speed that momentum changes (O'Neill & Wright
  2019, arXiv 1706.07993).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.lab.tasks.noisy_problems import Point, Scalar, Vector
from psi.lab.tasks.task import Batch


class PowerLaw(NamedTuple):
    """f = c |x|^p."""

    coefficient: Scalar  # c
    exponent: Scalar  # p >= 1
    initial: Scalar  # x before the first step


class ExponentialTail(NamedTuple):
    """f = exp(−x)."""

    initial: Scalar  # x before the first step


class Spectrum(NamedTuple):
    """f = ½ Σ λ_k x_k²."""

    curvature: Vector  # λ_k
    initial: Vector  # x before the first step


class Lipschitz(NamedTuple):
    """f = G max_k |x_k|; the start is random in the largest cube inside the ball of radius D."""

    slope: Scalar  # G
    corner: Vector  # D/√d in each of the d directions, the corner of that cube


class Saddle(NamedTuple):
    """f = a/4 (y² − 1)² + b/2 x²: minima 0 at y = ±1, a saddle of curvature −a at the origin."""

    escape: Scalar  # a
    valley: Scalar  # b
    distance: Scalar  # x before the first step
    spread: Scalar  # standard deviation of y before the first step


def no_rows(rows: int, problem: tuple, key: Key[Array, ""], i: Int[Array, ""]) -> Batch:
    """A minibatch of zeros in place of data, which the loss ignores."""
    del problem, key, i
    return Batch(jnp.zeros((rows, 1)), jnp.zeros(rows))


def no_row(problem: tuple) -> Batch:
    """One row with a single zero in place of data, which the loss ignores."""
    del problem
    return Batch(jnp.zeros((1, 1)), jnp.zeros(1))


def initial_point(problem: Any, key: Key[Array, ""] | None = None) -> Point:
    """x(0), which is the same for every key."""
    del key
    return jnp.reshape(problem.initial, (-1,))


def power_loss(problem: PowerLaw, x: Point, batch: Batch) -> Float[Array, ""]:
    """C |x|^p."""
    del batch
    return (problem.coefficient * jnp.abs(x) ** problem.exponent).sum()


def tail_loss(problem: ExponentialTail, x: Point, batch: Batch) -> Float[Array, ""]:
    """exp(−x)."""
    del problem, batch
    return jnp.exp(-x).sum()


def chebyshev_spectrum(low: float, high: float, epochs: int) -> Spectrum:
    """The quadratic with curvatures in [μ, L] that is hardest for T rates; its initial loss is 1.

    After T rates the loss is Σ_k w_k p(λ_k)², w_k = ½ λ_k x_k(0)², p(λ) = Π_i (1 − α_i λ). Let p be
    the Chebyshev polynomial over [μ, L] with p(0) = 1 and λ_k its extrema, p(λ_k) = ± m (−1)^k.
    It minimises that loss over all polynomials of degree T with p(0) = 1 when
    Σ_k w_k (−1)^k λ_k q(λ_k) = 0 for every q of degree < T: when w_k λ_k is proportional to the
    weight of node k in a T-th divided difference, which is ½ at both ends and 1 elsewhere
    (Salzer 1972).
    """
    angle = np.pi * np.arange(epochs + 1) / epochs
    curvature = (high + low) / 2 - (high - low) / 2 * np.cos(angle)
    share = np.where(np.isin(np.arange(epochs + 1), (0, epochs)), 0.5, 1.0) / curvature
    return Spectrum(curvature, np.sqrt(2 * share / share.sum() / curvature))


def spectrum_loss(problem: Spectrum, x: Point, batch: Batch) -> Float[Array, ""]:
    """½ Σ λ_k x_k²."""
    del batch
    return (problem.curvature * jnp.square(x)).sum() / 2


def lipschitz_init(problem: Lipschitz, key: Key[Array, ""]) -> Point:
    """Uniform in the cube, so that no rate is good by luck; its distance from 0 is at most D."""
    corner = jnp.asarray(problem.corner)
    return corner * jax.random.uniform(key, corner.shape, minval=-1.0)


def lipschitz_loss(problem: Lipschitz, x: Point, batch: Batch) -> Float[Array, ""]:
    """G max_k |x_k|."""
    del batch
    return problem.slope * jnp.abs(x).max()


def lipschitz_initial(problem: Lipschitz) -> Scalar:
    """Mean initial loss G D/√d · d/(d + 1), by the mean of the largest of d uniform numbers."""
    d = len(problem.corner)
    return problem.slope * problem.corner[0] * (d / (d + 1))


def saddle_init(problem: Saddle, key: Key[Array, ""]) -> Point:
    """(x, y) beside the saddle's ridge, y ~ N(0, spread²)."""
    return jnp.stack([problem.distance, problem.spread * jax.random.normal(key)])


def saddle_loss(problem: Saddle, theta: Point, batch: Batch) -> Float[Array, ""]:
    """a/4 (y² − 1)² + b/2 x²."""
    del batch
    x, y = theta
    return problem.escape / 4 * jnp.square(y**2 - 1) + problem.valley / 2 * x**2


def saddle_initial(problem: Saddle) -> Scalar:
    """The loss on the ridge, y = 0."""
    return problem.escape / 4 + problem.valley / 2 * problem.distance**2
