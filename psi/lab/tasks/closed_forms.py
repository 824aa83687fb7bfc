"""What is known exactly about the problems: ideal rates, and the losses that they lead to.

ε is the excess of the expected loss before a step, B the batch, h a curvature, σ² the variance of
the gradient noise of one row, T the number of steps. An ideal rate minimises the *mean* excess
after the step over noise and runs: not the mean of its log, and not that of one run. float64.
"""

from typing import TypeVar

import numpy as np
from jaxtyping import Float

from psi.lab.tasks.noiseless_problems import Lipschitz, PowerLaw
from psi.lab.tasks.noisy_problems import Drift, LeastSquares, NoisyQuadratic

Rates = Float[np.ndarray, " step"]
Losses = Float[np.ndarray, " loss"]
Excess = TypeVar("Excess", float, Float[np.ndarray, "..."])


def noise_scale(problem: NoisyQuadratic, batch: int = 1) -> float:
    """The c of the ideal rate, d σ²/(2hB): the excess at which it is half of 1/h.

    Raises ValueError where curvatures differ: no function of ε alone is then ideal.
    """
    h = np.asarray(problem.curvature, float)
    if np.ptp(h) > 0:
        raise ValueError(f"the curvatures must be equal, got {h}")
    return float(np.sum(problem.variance) / (2 * h[0] * batch))


def noisy_quadratic_rate(excess: Excess, problem: NoisyQuadratic, batch: int = 1) -> Excess:
    """α*(ε) = (1/h) ε/(ε + c) (Schaul et al. 2012, arXiv 1206.1106).

    The best of the next step and of any number of steps. Errors: see `noise_scale`.
    """
    return excess / (excess + noise_scale(problem, batch)) / float(problem.curvature[0])


def noisy_quadratic_losses(problem: NoisyQuadratic, epochs: int, batch: int = 1) -> Losses:
    """ε_0 … ε_T under the ideal rate, 1/ε_t = 1/ε_0 + t/c. Errors: see `noise_scale`."""
    first = np.dot(problem.curvature, problem.initial) / 2
    return 1 / (1 / first + np.arange(epochs + 1) / noise_scale(problem, batch))


def moment_losses(rates: Rates, problem: NoisyQuadratic, batch: int = 1) -> Losses:
    """ε_0 … ε_T = ½ Σ h_i A_i under any rates, A_i' = (1 − α h_i)² A_i + α² σ_i²/B.

    A_i = E θ_i² (Wu et al. 2018, arXiv 1803.02021).
    """
    h, variance, moments = (np.asarray(a, float) for a in problem)
    losses = [h @ moments / 2]
    for rate in rates:
        moments = (1 - rate * h) ** 2 * moments + rate**2 * variance / batch
        losses.append(h @ moments / 2)
    return np.array(losses)


def greedy_rates(problem: NoisyQuadratic, epochs: int, batch: int = 1) -> Rates:
    """Each the best for the very next loss, Σ h_i² A_i / (Σ h_i³ A_i + Σ h_i σ_i²/B).

    Short-sighted where curvatures differ (Wu et al. 2018, arXiv 1803.02021).
    """
    h, variance, moments = (np.asarray(a, float) for a in problem)
    rates = []
    for _ in range(epochs):
        rate = h**2 @ moments / (h**3 @ moments + h @ variance / batch)
        moments = (1 - rate * h) ** 2 * moments + rate**2 * variance / batch
        rates.append(rate)
    return np.array(rates)


def steady_loss(rate: float, problem: NoisyQuadratic, batch: int = 1) -> float:
    """The noise floor of a constant rate, Σ α σ_i²/(2B (2 − α h_i)), for α h_i < 2."""
    h, variance = np.asarray(problem.curvature, float), np.asarray(problem.variance, float)
    return float((rate * variance / (2 * batch * (2 - rate * h))).sum())


def least_squares_rate(excess: Excess, problem: LeastSquares, batch: int) -> Excess:
    """α*(ε) = (1/λ) ε/(κε + d s_n²/(2B)), κ = (B + d + 1)/B."""
    kappa, noise = _least_squares(problem, batch)
    return excess / (kappa * excess + noise) / float(problem.scale)


def least_squares_next(excess: float, rate: Excess, problem: LeastSquares, batch: int) -> Excess:
    """ε' = (1 − 2αλ + κα²λ²) ε + α²λ² d s_n²/(2B), the mean excess after one step."""
    kappa, noise = _least_squares(problem, batch)
    step = rate * float(problem.scale)
    return (1 - 2 * step + kappa * step**2) * excess + step**2 * noise


def _least_squares(problem: LeastSquares, batch: int) -> tuple[float, float]:
    d = len(problem.target)
    return (batch + d + 1) / batch, d * float(problem.noise) ** 2 / (2 * batch)


def drift_rate(problem: Drift, batch: int = 1) -> float:
    """α_∞ = (−q + √(q² + 4qσ²/B))/(2σ²/B), Kalman's steady gain: the best constant rate.

    On the way there the ideal rate is ε/(ε + σ²/(2B)), as without drift.
    """
    q, variance = float(problem.walk), float(problem.variance) / batch
    return (-q + np.sqrt(q**2 + 4 * q * variance)) / (2 * variance)


def drift_loss(rate: float, problem: Drift, batch: int = 1) -> float:
    """Steady excess of a constant rate, (α²σ²/B + q)/(2α(2 − α)), before a step."""
    steady = rate**2 * float(problem.variance) / batch + float(problem.walk)
    return steady / (2 * rate * (2 - rate))


def power_law_rate(excess: Excess, problem: PowerLaw) -> Excess:
    """α*(ε) = ε^((2−p)/p) / (p c^(2/p)), p times Polyak's step: it reaches the minimum."""
    c, p = float(problem.coefficient), float(problem.exponent)
    return excess ** ((2 - p) / p) / (p * c ** (2 / p))


def sign_rate(excess: Excess, problem: PowerLaw) -> Excess:
    """α*(ε) = (ε/c)^(1/p), the distance, for sign descent: √(2ε/h) where p = 2 and c = h/2."""
    c, p = float(problem.coefficient), float(problem.exponent)
    return excess ** (1 / p) / c ** (1 / p)


def exponential_tail_rate(excess: Excess, nats: float) -> Excess:
    """α = r/ε lets exp(−x) fall by r nats in every step; there is no best r."""
    return nats / excess


def chebyshev_rates(low: float, high: float, epochs: int) -> Rates:
    """α_k = 1/[(L+μ)/2 − (L−μ)/2 cos((2k−1)π/2T)], k = 1 … T (Agarwal et al. 2021, 2103.01338).

    They minimise the largest |x_T/x_0| over curvatures in [μ, L]. In exact arithmetic their order
    is of no consequence; in floating point it is, for large T.
    """
    angle = (2 * np.arange(1, epochs + 1) - 1) * np.pi / (2 * epochs)
    return 1 / ((high + low) / 2 - (high - low) / 2 * np.cos(angle))


def chebyshev_error(low: float, high: float, epochs: int) -> float:
    """The largest |x_T/x_0| under those rates, 2ρ^T/(1 + ρ^{2T}), ρ = (√κ − 1)/(√κ + 1)."""
    root = np.sqrt(high / low)
    power = ((root - 1) / (root + 1)) ** epochs
    return float(2 * power / (1 + power**2))


def linear_rates(problem: Lipschitz, epochs: int) -> Rates:
    """η_k = (D/G)(N + 1 − k)/(N + 1)^{3/2}, k = 1 … N (Zamani & Glineur 2023, arXiv 2307.11134).

    No schedule has a better bound for the last iterate on convex G-Lipschitz functions.
    """
    left = np.arange(epochs, 0, -1)
    return _distance(problem) / float(problem.slope) * left / (epochs + 1) ** 1.5


def linear_bound(problem: Lipschitz, epochs: int) -> float:
    """DG/√(N + 1): no last iterate under `linear_rates` has a larger excess."""
    return _distance(problem) * float(problem.slope) / np.sqrt(epochs + 1)


def _distance(problem: Lipschitz) -> float:
    return float(np.linalg.norm(problem.corner))


def escape_factor(rate: float, curvature: float, momentum: float = 0.0) -> float:
    """Growth, each step, of the distance from a saddle of curvature −a.

    The larger root r of r² − (1 + β + αa) r + β = 0, heavy ball with momentum β; 1 + αa for β = 0
    (O'Neill & Wright 2019, arXiv 1706.07993).
    """
    half = (1 + momentum + rate * curvature) / 2
    return float(half + np.sqrt(half**2 - momentum))
