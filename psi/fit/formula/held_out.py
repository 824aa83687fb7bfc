"""What a fit is worth: its error on tasks that it did not see, and intervals over tasks.

Points of one task are not independent, so tasks are left out and resampled whole. Where there is
one task alone, points take their place, and `unit` says so.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from psi.fit.formula.formula import Vector
from psi.fit.formula.points import Points
from psi.fit.formula.refit import Fit, log_residuals, refit
from psi.ideal import resampling
from psi.ideal.resampling import bootstrap_counts, numbered, percentiles
from psi.law.law import FittedConstant

TINY = 1e-300


class HeldOut(NamedTuple):
    """Error on what was left out: with squares e_u and weights w_u of units, √(Σ e_u / Σ w_u)."""

    squares: Float[np.ndarray, " unit"]
    """e_u, weighted sum of (log Ψ − log α)² over the points of unit u, nats²; ∞ where Ψ is no
    positive number."""
    weights: Float[np.ndarray, " unit"]
    """w_u, sum of the weights of its points."""

    @property
    def error(self) -> float:
        """Root of the weighted mean square, nats."""
        return float(np.sqrt(self.squares.sum() / self.weights.sum()))

    @property
    def standard_error(self) -> float:
        """Of `error`, over units."""
        own = _standard_error(self.squares, self.weights)
        return own / (2 * max(self.error, TINY)) if np.isfinite(own) else np.inf


def gap(one: HeldOut, best: HeldOut) -> tuple[float, float]:
    """How much larger one error is than another on the same units, and its standard error.

    √m − √m' = (m − m')/(√m + √m'), paired over units: what makes a task hard for both cancels.
    """
    total = max(one.error + best.error, TINY)
    more = _standard_error(one.squares - best.squares, one.weights)
    return one.error - best.error, more / total


def _standard_error(sums: Float[np.ndarray, " unit"], weights: Float[np.ndarray, " unit"]) -> float:
    """Of the ratio m = Σ e_u / Σ w_u: √(n/(n−1) Σ (e_u − m w_u)²) / Σ w_u."""
    if not np.isfinite(sums).all():
        return np.inf
    n, mean = max((weights > 0).sum(), 2), sums.sum() / weights.sum()
    return float(np.sqrt(n / (n - 1) * ((sums - mean * weights) ** 2).sum()) / weights.sum())


def unit(points: Points) -> str:
    """What is left out and resampled: `task`, or `point` where there is one task alone."""
    return "task" if len(np.unique(points.task)) > 1 else "point"


def units(points: Points) -> Int[np.ndarray, " point"]:
    """The number of each point's unit."""
    return np.arange(len(points.task)) if unit(points) == "point" else numbered(points.task)


def folds(points: Points, count: int, seed: int) -> Int[np.ndarray, " point"]:
    """The fold of each point, 0 … count − 1: units are shuffled and dealt out whole.

    As many folds as there are units where these are fewer.
    """
    number = units(points)
    return resampling.folds(int(number.max()) + 1, count, np.random.default_rng(seed))[number]


def held_out(fit: Fit, points: Points, fold: Int[np.ndarray, " point"]) -> HeldOut:
    """The error on each fold's points of a fit to the others that starts from `fit`.

    ∞ where fewer points are left to a fit than there are constants.
    """
    squares = np.full(len(fold), np.inf)
    for k in range(fold.max() + 1):
        out = fold == k
        if (points.weight[~out] > 0).sum() < max(len(fit.fitted), 1):
            continue
        again = refit(fit.candidate, points.take(~out))
        residuals = log_residuals(again, points.take(out))
        squares[out] = np.where(np.isfinite(residuals), residuals**2, np.inf)
    number, counts = units(points), points.weight > 0
    squares = np.where(counts, points.weight, 1.0) * np.where(counts, squares, 0.0)
    return HeldOut(np.bincount(number, squares), np.bincount(number, points.weight))


def intervals(fit: Fit, points: Points, resamples: int, seed: int) -> tuple[FittedConstant, ...]:
    """Constants with 95 % percentile intervals of a bootstrap that draws whole units."""
    number, rng = units(points), np.random.default_rng(seed)
    drawn = bootstrap_counts(int(number.max()) + 1, resamples, rng)
    each = [_again(fit, points, counts[number]) for counts in drawn]
    kept = np.array([constants for constants in each if np.isfinite(constants).all()])
    if not len(kept):
        kept = np.full((1, len(fit.fitted)), np.nan)
    low, high = percentiles(kept)
    best = fit.formula.constants(fit.fitted)
    rows = zip(fit.formula.names, best, low, high, strict=True)
    return tuple(FittedConstant(name, float(v), float(lo), float(hi)) for name, v, lo, hi in rows)


def _again(fit: Fit, points: Points, counts: Int[np.ndarray, " point"]) -> Vector:
    """The constants where each point stands `counts` times; NaN where too few are left."""
    resample = points._replace(weight=points.weight * counts)
    if (resample.weight > 0).sum() < len(fit.fitted):
        return np.full(len(fit.fitted), np.nan)
    return np.array(fit.formula.constants(refit(fit.candidate, resample).fitted), float)
