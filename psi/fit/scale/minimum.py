"""The best rate of a noisy sweep: the least of a parabola through the points around the lowest.

Of many noisy scores the lowest is too low, the more so the flatter the valley. With y_k the scores
at log rates x_k, σ_k their standard errors and 0 the lowest point, five points around it fit

    y = a + b (x − x_0) + c (x − x_0)²,   weights 1 / (σ_k² + (0.3 (y_k − y_0))²),

whose least is at x_0 − b/2c and worth a − b²/4c. A parabola describes a valley only near its floor,
so a point counts less the higher it lies. Where noise is large against these heights all five count
alike and average it out; without noise the parabola goes through the lowest point. The standard
error of the best rate is that of −b/2c, propagated from σ_k alone.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

AROUND = 2  # points on each side
MISFIT = 0.3  # of a point's height above the lowest: how wrong the parabola may be there
TINY = 1e-3  # nats: below this a score is not noisy


class Best(NamedTuple):
    """The best rate of each task and what it is worth."""

    log_rate: Float[np.ndarray, " task"]
    error: Float[np.ndarray, " task"]
    """Standard error of `log_rate`, at most the width of the five points."""
    score: Float[np.ndarray, " task"]
    """nats"""
    interior: Bool[np.ndarray, " task"]
    """Whether the lowest point is none of the ends of the rates tried."""


def best_rates(
    grid: Float[np.ndarray, " rate"],
    scores: Float[np.ndarray, "task rate"],
    errors: Float[np.ndarray, "task rate"],
    tried: Bool[np.ndarray, "task rate"],
) -> Best:
    """The best rate of each task's sweep.

    Args:
        grid: log rates, rising.
        scores: the scores y [nats], finite also where a rate was not tried.
        errors: their standard errors [nats].
        tried: what was tried: at least five neighbouring rates of each task.

    Returns:
        The minima of the parabolas, never farther than one point from the lowest score.

    Example:
        >>> grid = np.linspace(-3, 3, 7)
        >>> scores = 1 + (grid - 0.25)[None] ** 2
        >>> found = best_rates(grid, scores, 0 * scores, scores >= 0)
        >>> float(found.log_rate[0].round(3)), float(found.score[0].round(3))
        (0.25, 1.0)
    """
    rows = np.arange(len(scores))[:, None]
    lowest = np.where(tried, scores, np.inf).argmin(1)
    first, last = tried.argmax(1), tried.shape[1] - 1 - tried[:, ::-1].argmax(1)
    at = np.clip(lowest - AROUND, first, last - 2 * AROUND)[:, None] + np.arange(2 * AROUND + 1)
    x, y = grid[at] - grid[lowest][:, None], scores[rows, at]
    noise = errors[rows, at] ** 2 + TINY**2
    height = y - scores[rows[:, 0], lowest][:, None]
    powers = np.stack([x**0, x, x**2], axis=-1)
    gain = powers / (noise + (MISFIT * height) ** 2)[..., None]
    inverse = np.linalg.inv(np.einsum("tki,tkj->tij", gain, powers))
    a, b, c = np.einsum("tij,tkj,tk->it", inverse, gain, y)
    spread = np.einsum("tki,tk,tkj->tij", gain, noise, gain)
    step = np.diff(grid).max()
    curved = c > 0
    c = np.where(curved, c, 1.0)
    slope = np.stack([np.zeros_like(c), -1 / (2 * c), b / (2 * c**2)], axis=-1)
    variance = np.einsum("ti,tij,tjk,tkl,tl->t", slope, inverse, spread, inverse, slope)
    moved = np.where(curved, np.clip(-b / (2 * c), -step, step), 0.0)
    most = np.ptp(x, axis=1)
    return Best(
        grid[lowest] + moved,
        np.where(curved, np.minimum(np.sqrt(variance), most), most),
        np.where(curved, a + b * moved + c * moved**2, y.min(1)),
        (lowest > first) & (lowest < last),
    )
