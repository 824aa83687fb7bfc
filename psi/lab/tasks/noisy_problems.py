"""Problems with gradient noise whose ideal learning rate is known exactly.

* Noisy quadratic: excess loss ε = ½ Σ h_i E θ_i², gradients h_i θ_i + ξ_i with ξ_i ~ N(0, σ_i²)
  (Schaul et al. 2012, arXiv 1206.1106; Wu et al. 2018, arXiv 1803.02021; Zhang et al. 2019, arXiv
  1907.04164). The training loss ½ Σ h_i (θ_i − ξ_i/h_i)² with fresh ξ has these gradients and is
  never negative; its mean over minibatches is ε + ½ Σ σ_i²/h_i.
* Linear least squares: y = w* · x + s_n n with x ~ N(0, λ I); ε = ½ λ ‖w − w*‖² (LMS theory:
  Widrow & Stearns 1985).
* Drift: a noisy quadratic with h = 1 whose target is a random walk of variance q a step, so that
  the best tracker is a Kalman filter (Kalman 1960) and the rate must not decay to 0.

Losses are evaluated on a batch without noise, where they are the exact excess.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.lab.tasks.task import Batch, Splits

BLOCK = 16  # steps of a random walk drawn at once: several times as fast as one at a time
Point = Float[Array, " parameters"]
Scalar = float | Float[Array, ""]
Vector = Float[np.ndarray, " parameters"] | Float[Array, " parameters"]
"""`Scalar` and `Vector`: numpy in the table of problems and in closed forms, JAX in a task."""


class NoisyQuadratic(NamedTuple):
    """A quadratic in independent directions i, each with its own curvature and noise."""

    curvature: Vector  # h_i
    variance: Vector  # σ_i², of the gradient noise of one row
    initial: Vector  # A_i(0) = E θ_i² before the first step; θ_i ~ N(0, A_i(0))


class LeastSquares(NamedTuple):
    """Linear regression on isotropic Gaussian inputs, with noise on the labels."""

    scale: Scalar  # λ, the variance of each input
    noise: Scalar  # s_n, the standard deviation of the labels' noise
    target: Vector  # w*; training starts from w = 0


class Drift(NamedTuple):
    """A target on a random walk, ½ (θ − m_i)², m_i ~ N(m_{i−1}, q), m_0 = 0."""

    variance: Scalar
    """σ², of the gradient noise of one row"""
    walk: Scalar
    """q, the variance of the target's move in each epoch, before its minibatch is drawn"""
    initial: Scalar
    """A(0) = E θ² before the first step; θ ~ N(0, A(0))"""


def quadratic_init(problem: NoisyQuadratic, key: Key[Array, ""]) -> Point:
    """θ ~ N(0, A(0))."""
    return jnp.sqrt(problem.initial) * jax.random.normal(key, problem.initial.shape)


def quadratic_loss(problem: NoisyQuadratic, theta: Point, batch: Batch) -> Float[Array, ""]:
    """½ Σ_i h_i mean (θ_i − ξ_i/h_i)², the rows of `batch.x` being ξ; the mean is over rows."""
    h = problem.curvature
    return (h * jnp.square(theta[None] - batch.x / h[None]).mean(0)).sum() / 2


def quadratic_sample(
    rows: int, problem: NoisyQuadratic, key: Key[Array, ""], i: Int[Array, ""]
) -> Batch:
    """Fresh ξ ~ N(0, σ²)."""
    shape = (rows, *problem.variance.shape)
    noise = jax.random.normal(jax.random.fold_in(key, i), shape)
    return Batch(jnp.sqrt(problem.variance)[None] * noise, jnp.zeros(rows))


def quadratic_probe(problem: NoisyQuadratic) -> Batch:
    """One row without noise, ξ = 0."""
    return Batch(jnp.zeros((1, *problem.variance.shape)), jnp.zeros(1))


def quadratic_initial(problem: NoisyQuadratic) -> Scalar:
    """½ Σ h_i A_i(0)."""
    return (problem.curvature * problem.initial).sum() / 2


def quadratic_noise(problem: NoisyQuadratic) -> Scalar:
    """Standard deviation of the target ξ/h, root mean square over directions."""
    return jnp.sqrt((problem.variance / problem.curvature**2).mean())


def squares_init(problem: LeastSquares, key: Key[Array, ""]) -> Point:
    """w(0) = 0."""
    del key
    return jnp.zeros_like(problem.target)


def squares_loss(problem: LeastSquares, weights: Point, batch: Batch) -> Float[Array, ""]:
    """½ mean (w · x − y)² over rows."""
    del problem
    return jnp.square(_outputs(weights, batch.x) - batch.y).mean() / 2


def squares_sample(
    rows: int, problem: LeastSquares, key: Key[Array, ""], i: Int[Array, ""]
) -> Batch:
    """Fresh x ~ N(0, λ I), y = w* · x + s_n n."""
    inputs, off = jax.random.split(jax.random.fold_in(key, i))
    x = jnp.sqrt(problem.scale) * jax.random.normal(inputs, (rows, *problem.target.shape))
    noise = problem.noise * jax.random.normal(off, (rows,))
    return Batch(x, _outputs(problem.target, x) + noise)


def squares_probe(problem: LeastSquares) -> Batch:
    """Rows √(dλ) e_k without noise: their second moment λI is that of the inputs."""
    d = len(problem.target)
    x = jnp.sqrt(d * problem.scale) * jnp.eye(d)
    return Batch(x, _outputs(problem.target, x))


def squares_initial(problem: LeastSquares) -> Scalar:
    """½ λ ‖w*‖²."""
    return problem.scale * jnp.square(problem.target).sum() / 2


def _outputs(weights: Vector, x: Float[Array, "rows parameters"]) -> Float[Array, " rows"]:
    # Not x @ weights: an accelerator may compute a product in fewer digits.
    return (x * weights[None]).sum(1)


def drift_init(problem: Drift, key: Key[Array, ""]) -> Point:
    """θ ~ N(0, A(0))."""
    return jnp.sqrt(problem.initial) * jax.random.normal(key, (1,))


def drift_loss(problem: Drift, theta: Point, batch: Batch) -> Float[Array, ""]:
    """½ mean (θ − m − ξ)² over rows, with ξ in `batch.x` and the target m in `batch.y`."""
    del problem
    return jnp.square(theta[None] - batch.y[:, None] - batch.x).mean() / 2


def drift_sample(rows: int, problem: Drift, key: Key[Array, ""], i: Int[Array, ""]) -> Batch:
    """Fresh ξ ~ N(0, σ²) around the target of epoch i."""
    walk, off = jax.random.split(key)
    noise = jax.random.normal(jax.random.fold_in(off, i), (rows, 1))
    target = jnp.sqrt(problem.walk) * random_walk(walk, i)
    return Batch(jnp.sqrt(problem.variance) * noise, jnp.full(rows, target))


def drift_probe(problem: Drift) -> Batch:
    """One row, ξ = 0, with √q in place of the target; `drift_before` multiplies it by the walk."""
    return Batch(jnp.zeros((1, 1)), jnp.sqrt(problem.walk)[None])


def drift_before(splits: Splits, key: Key[Array, ""], i: Int[Array, ""]) -> Splits:
    """The splits with the target after i moves, the same as in the minibatches of epoch i."""
    walk = random_walk(jax.random.split(key)[0], i)
    return Splits(*(part._replace(y=walk * part.y) for part in splits))


def drift_initial(problem: Drift) -> Scalar:
    """½ E θ² before the first step: the target starts at 0."""
    return problem.initial / 2


def random_walk(key: Key[Array, ""], i: Int[Array, ""]) -> Float[Array, ""]:
    """The sum of the first i of the key's sequence of standard normal numbers."""

    def block(b: Int[Array, ""], at: Float[Array, ""]) -> Float[Array, ""]:
        steps = jax.random.normal(jax.random.fold_in(key, b), (BLOCK,))
        return at + jnp.where(b * BLOCK + jnp.arange(BLOCK) < i, steps, 0).sum()

    return jax.lax.fori_loop(0, -(-i // BLOCK), block, jnp.zeros(()))
