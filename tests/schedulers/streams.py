"""Streams of losses: a table of what trainings show, and any number of random ones."""

import math

import numpy as np

EPOCHS = 12

_rng = np.random.default_rng(0)
_smooth = 2.3 * np.exp(-np.arange(EPOCHS) / 4)

STREAMS: dict[str, np.ndarray] = {
    "smooth": _smooth,
    "noisy": _smooth * _rng.lognormal(sigma=0.3, size=EPOCHS),
    "plateau": np.r_[_smooth[:4], np.full(EPOCHS - 4, 0.7)],
    "jumps": np.where(np.arange(EPOCHS) % 3 == 2, 50.0, _smooth),
    "one NaN": np.where(np.arange(EPOCHS) == 4, math.nan, _smooth),
    "NaN first": np.where(np.arange(EPOCHS) == 0, math.nan, _smooth),
    "NaN from the fifth on": np.where(np.arange(EPOCHS) >= 4, math.nan, _smooth),
    "infinite": np.where(np.arange(EPOCHS) == 3, math.inf, _smooth),
    "minus infinite": np.where(np.arange(EPOCHS) == 3, -math.inf, _smooth),
    "never a number": np.full(EPOCHS, math.nan),
    "zero": np.where(np.arange(EPOCHS) >= 6, 0.0, _smooth),
    "negative": _smooth - 1.0,
    "1e300": np.where(np.arange(EPOCHS) == 5, 1e300, _smooth),
    "tiny": np.where(np.arange(EPOCHS) == 5, 1e-300, _smooth),
}
"""ε of each epoch, in nats."""

AWKWARD = np.array([0.0, -0.0, -3.0, 1e30, -1e30, 1e38, 1e-38, math.nan, math.inf, -math.inf])


def single(losses: np.ndarray) -> np.ndarray:
    """As a framework has them: float32, where 1e300 is infinite and 1e-300 is zero."""
    with np.errstate(over="ignore", under="ignore"):
        return losses.astype(np.float32)


def random_streams(count: int, seed: int, batches: int = 2, epochs: int = 6) -> np.ndarray:
    """Random walks of log ε over twelve decades, one loss in eight awkward; float32.

    shape=(epochs, batches, count)
    """
    rng = np.random.default_rng(seed)
    shape = (epochs, batches, count)
    walk = np.cumsum(rng.normal(scale=1.5, size=shape), axis=0) + rng.uniform(-14, 14, count)
    awkward = rng.random(shape) < 1 / 8
    return single(np.where(awkward, rng.choice(AWKWARD, size=shape), np.exp(walk)))
