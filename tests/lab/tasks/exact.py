"""Closed forms that only tests compare with: rates of the problems, and the losses they lead to.

ε is the excess loss before a step, B the rows of a minibatch, T the number of steps.
"""

import numpy as np


def moment_losses(rates, problem, batch=1):
    """ε_0 … ε_T = ½ Σ h_i A_i under any rates, A_i' = (1 − α h_i)² A_i + α² σ_i²/B.

    A_i = E θ_i² (Wu et al. 2018, arXiv 1803.02021).
    """
    h, variance, moments = (np.asarray(a, float) for a in problem)
    losses = [h @ moments / 2]
    for rate in rates:
        moments = (1 - rate * h) ** 2 * moments + rate**2 * variance / batch
        losses.append(h @ moments / 2)
    return np.array(losses)


def greedy_rates(problem, epochs, batch=1):
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


def least_squares_next(excess, rate, problem, batch):
    """ε' = (1 − 2αλ + κα²λ²) ε + α²λ² d s_n²/(2B), κ = (B + d + 1)/B: the mean after one step."""
    d, step = len(problem.target), rate * float(problem.scale)
    kappa, noise = (batch + d + 1) / batch, d * float(problem.noise) ** 2 / (2 * batch)
    return (1 - 2 * step + kappa * step**2) * excess + step**2 * noise


def drift_loss(rate, problem, batch=1):
    """Steady excess of a constant rate, (α²σ²/B + q)/(2α(2 − α)), before a step."""
    steady = rate**2 * float(problem.variance) / batch + float(problem.walk)
    return steady / (2 * rate * (2 - rate))


def power_law_rate(excess, problem):
    """α*(ε) = ε^((2−p)/p) / (p c^(2/p)), p times Polyak's step: it reaches the minimum."""
    c, p = float(problem.coefficient), float(problem.exponent)
    return excess ** ((2 - p) / p) / (p * c ** (2 / p))


def sign_rate(excess, problem):
    """α*(ε) = (ε/c)^(1/p), the distance, for sign descent: √(2ε/h) where p = 2 and c = h/2."""
    c, p = float(problem.coefficient), float(problem.exponent)
    return excess ** (1 / p) / c ** (1 / p)


def exponential_tail_rate(excess, nats):
    """α = r/ε lets exp(−x) fall by r nats in every step; there is no best r."""
    return nats / excess


def chebyshev_rates(low, high, epochs):
    """α_k = 1/[(L+μ)/2 − (L−μ)/2 cos((2k−1)π/2T)], k = 1 … T (Agarwal et al. 2021, 2103.01338).

    They minimise the largest |x_T/x_0| over curvatures in [μ, L]. In exact arithmetic their order
    does not matter; in floating point it does, for large T.
    """
    angle = (2 * np.arange(1, epochs + 1) - 1) * np.pi / (2 * epochs)
    return 1 / ((high + low) / 2 - (high - low) / 2 * np.cos(angle))


def linear_rates(problem, epochs):
    """η_k = (D/G)(N + 1 − k)/(N + 1)^{3/2}, k = 1 … N (Zamani & Glineur 2023, arXiv 2307.11134).

    No schedule has a better bound for the last iterate on convex G-Lipschitz functions.
    """
    left = np.arange(epochs, 0, -1)
    return np.linalg.norm(problem.corner) / float(problem.slope) * left / (epochs + 1) ** 1.5


def linear_bound(problem, epochs):
    """DG/√(N + 1): no last iterate under `linear_rates` has a larger excess."""
    return np.linalg.norm(problem.corner) * float(problem.slope) / np.sqrt(epochs + 1)


def escape_factor(rate, curvature, momentum=0.0):
    """Growth, each step, of the distance from a saddle of curvature −a.

    The larger root r of r² − (1 + β + αa) r + β = 0, heavy ball with momentum β; 1 + αa for β = 0
    (O'Neill & Wright 2019, arXiv 1706.07993).
    """
    half = (1 + momentum + rate * curvature) / 2
    return float(half + np.sqrt(half**2 - momentum))
