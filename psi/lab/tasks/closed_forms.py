"""Ideal rates and losses of the noisy problems in closed form, as numpy float64.

ε is the expected loss before a step less its minimum (the excess), B the rows of a minibatch, h a
curvature, σ² the variance of one row's gradient noise. The ideal rate α*(ε) minimises the *mean*
excess after the step, over noise and runs: neither the mean of its log nor the excess of one run.
"""

from typing import TypeVar

import numpy as np
from jaxtyping import Float

from psi.lab.tasks.noisy_problems import Drift, LeastSquares, NoisyQuadratic

Losses = Float[np.ndarray, " loss"]
Excess = TypeVar("Excess", float, Float[np.ndarray, "..."])


def noise_scale(problem: NoisyQuadratic, batch: int = 1) -> float:
    """C = d σ²/(2hB), d the number of directions: at an excess of c the ideal rate is half of 1/h.

    Raises ValueError where curvatures differ: no function of ε alone is then ideal.
    """
    h = np.asarray(problem.curvature, float)
    if np.ptp(h) > 0:
        raise ValueError(f"the curvatures must be equal, got {h}")
    return float(np.sum(problem.variance) / (2 * h[0] * batch))


def noisy_quadratic_rate(excess: Excess, problem: NoisyQuadratic, batch: int = 1) -> Excess:
    """α*(ε) = (1/h) ε/(ε + c), c = d σ²/(2hB) (Schaul et al. 2012, arXiv 1206.1106).

    It is ideal for the next step and for any number of steps. Raises ValueError where curvatures
    differ.
    """
    return excess / (excess + noise_scale(problem, batch)) / float(problem.curvature[0])


def noisy_quadratic_losses(problem: NoisyQuadratic, epochs: int, batch: int = 1) -> Losses:
    """ε_0 … ε_T, T = `epochs`, under the ideal rate of a noisy quadratic of one curvature.

    1/ε_t = 1/ε_0 + t/c with c = d σ²/(2hB). Raises ValueError where curvatures differ.
    """
    first = np.dot(problem.curvature, problem.initial) / 2
    return 1 / (1 / first + np.arange(epochs + 1) / noise_scale(problem, batch))


def steady_loss(rate: float, problem: NoisyQuadratic, batch: int = 1) -> float:
    """The mean excess that a constant rate settles at, Σ α σ_i²/(2B (2 − α h_i)), for α h_i < 2."""
    h, variance = np.asarray(problem.curvature, float), np.asarray(problem.variance, float)
    return float((rate * variance / (2 * batch * (2 - rate * h))).sum())


def least_squares_rate(excess: Excess, problem: LeastSquares, batch: int) -> Excess:
    """α*(ε) = (1/λ) ε/(κε + d s_n²/(2B)), κ = (B + d + 1)/B, for d inputs of variance λ."""
    d = len(problem.target)
    kappa, noise = (batch + d + 1) / batch, d * float(problem.noise) ** 2 / (2 * batch)
    return excess / (kappa * excess + noise) / float(problem.scale)


def drift_rate(problem: Drift, batch: int = 1) -> float:
    """α_∞ = (−q + √(q² + 4qσ²/B))/(2σ²/B), Kalman's steady gain: the best constant rate.

    Until it is reached the ideal rate is ε/(ε + σ²/(2B)), as if the target stood still.
    """
    q, variance = float(problem.walk), float(problem.variance) / batch
    return (-q + np.sqrt(q**2 + 4 * q * variance)) / (2 * variance)


def chebyshev_error(low: float, high: float, epochs: int) -> float:
    """The least max |x_T/x_0| that T rates reach over curvatures in [μ, L] = [low, high].

    2ρ^T/(1 + ρ^{2T}), ρ = (√κ − 1)/(√κ + 1), κ = L/μ (Agarwal et al. 2021, arXiv 2103.01338).
    """
    root = np.sqrt(high / low)
    power = ((root - 1) / (root + 1)) ** epochs
    return float(2 * power / (1 + power**2))
