"""Logs whose trouble is planted: SGD on a noisy quadratic, where all is known.

x ← x − α (x + ξ), 64 coordinates, curvature 1: α > 2 diverges, a constant α ends at the noise
floor 32 α σ²/(2 − α), and a loss x²/2 falls by (1 − α)² a step before it.
"""

import numpy as np

from psi.advice.log import Log

SIZE, STEPS = 64, 20


def log_of(losses: object, rates: object = np.nan, ratio: float = np.nan) -> Log:
    loss = np.asarray(losses, float)
    rate = np.broadcast_to(np.asarray(rates, float), loss.shape)
    at = np.arange(len(loss), dtype=float)
    return Log("epoch", at, loss, rate, np.full(len(loss), ratio), at)


def trained(rates: np.ndarray, seed: int = 0, noise: float = 0.05) -> Log:
    """One rate an epoch of STEPS steps; the epoch's mean loss."""
    rng = np.random.default_rng(seed)
    x, losses = rng.normal(size=SIZE), []
    with np.errstate(all="ignore"):
        for rate in rates:
            each = []
            for _ in range(STEPS):
                each.append(0.5 * x @ x)
                x = x - rate * (x + noise * rng.normal(size=SIZE))
            losses.append(np.mean(each))
    return log_of(losses, rates)


def floor(rate: float, noise: float) -> float:
    return 0.5 * SIZE * rate * noise**2 / (2 - rate)


STRANGE = {
    "zeros": np.zeros(20),
    "negative": np.full(20, -3.0),
    "falling below zero": -np.arange(20.0),
    "huge": np.full(9, 1e300),
    "from huge to one": np.geomspace(1e300, 1, 50),
    "not finite in turn": np.tile([1.0, np.inf, -np.inf, np.nan], 9),
    "never a number": np.full(30, np.nan),
    "tiny": np.full(12, 1e-300),
}
