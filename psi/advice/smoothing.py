"""Smoothing of noisy curves: a line fitted around every point, and the trend of a logged loss."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from psi.advice.log import Log, Series
from psi.advice.table import MIN_LINES, Values

BINS = 200  # a longer log is averaged into this many
SURE = 4.5  # standard errors
MIN_CORRELATION = 0.3  # of neighbouring lines, where there are too few to estimate it
MAX_LOSS = 1e100


class LocalLines(NamedTuple):
    """Around each x a line fitted by weighted least squares; shape=(points,) each."""

    smooth: Values  # height of the line at x
    slope: Values
    noise: Values  # standard deviation of one value around the line
    height_error: Values  # standard error of the height, over `noise`
    slope_error: Values  # standard error of the slope, over `noise`


def local_lines(x: Values, values: Values, width: float) -> LocalLines:
    """Fit a line around each x to values of shape (runs, points).

    Weights are Gaussian with standard deviation `width`. The noise is estimated around each x, as
    it differs along a curve.
    """
    mean, count = values.mean(0), len(values)
    away = x[None] - x[:, None]
    weight = np.exp(-0.5 * (away / width) ** 2)
    total, first, second = (np.sum(weight * away**k, 1) for k in range(3))
    size = total * second - first**2
    # Height and slope are sums of the values with these weights.
    height = weight * (second[:, None] - first[:, None] * away) / size[:, None]
    tilt = weight * (total[:, None] * away - first[:, None]) / size[:, None]
    smooth, slope = height @ mean, tilt @ mean
    line = smooth[:, None] + slope[:, None] * away
    spread = ((values[:, None] - line[None]) ** 2).mean(0)
    noise = np.sqrt(np.sum(weight * spread, 1) / np.maximum(total - 2 / count, 0.5))
    height_error, slope_error = (np.sqrt(np.sum(each**2, 1) / count) for each in (height, tilt))
    return LocalLines(smooth, slope, noise, height_error, slope_error)


class Trend(NamedTuple):
    """A log's finite losses clipped and averaged in bins, and their trend; shape=(bins,) each."""

    at: Values  # where a bin begins, in the log's unit
    loss: Values
    smooth: Values  # height of the line fitted around each bin
    error: Values  # standard error of `smooth`
    noise: Values  # standard deviation of `loss` around it
    error_factor: float  # how much larger errors of means are than for independent losses
    rate: Values  # NaN where the log has none
    logged: Values  # the first loss of each bin, as it is in the log
    top: float  # losses above this are clipped

    @property
    def fall(self) -> float:
        """How far the loss falls, from the first to the lowest; at least a fifth of the first."""
        return max(self.smooth[0] - self.smooth.min(), 0.2 * abs(self.smooth[0]), 1e-12)

    @property
    def late_fall(self) -> float:
        """How far the mean loss falls from the middle third of the log to the last."""
        _, two, three = (float(third.mean()) for third in np.array_split(self.loss, 3))
        return two - three

    @property
    def late_share(self) -> float:
        """That over the fall from the first third to the last; 0 where there is none."""
        one, _, three = (float(third.mean()) for third in np.array_split(self.loss, 3))
        return self.late_fall / (one - three) if one > three else 0.0

    @property
    def error_of_thirds(self) -> float:
        """Standard error of the difference between the means of the last two thirds."""
        third = len(self.at) // 3
        return self.error_factor * float(np.sqrt(np.mean(self.noise[third:] ** 2) * 2 / third))

    def sure(self, one: int, other: int) -> float:
        """The least difference between two bins that is beyond doubt."""
        return SURE * float(np.hypot(self.error[one], self.error[other]))


def usable(log: Log) -> NDArray[np.bool_]:
    """Which lines have a loss that can be computed with."""
    return _usable(log.loss)


def _usable(loss: Values) -> NDArray[np.bool_]:
    """Finite, not absurdly large, and no 0 before the first loss, which some trainers log."""
    fine = np.abs(loss) < MAX_LOSS
    if loss.any():
        fine[: int(np.argmax(loss != 0))] = False
    return fine


def trend(log: Log) -> Trend | None:
    """The trend of a log's loss; None where it has fewer than MIN_LINES usable losses."""
    return _trend(log.at, log.loss, log.rate)


def trend_of(series: Series) -> Trend | None:
    """The trend of a quantity with lines of its own; None where they are fewer than MIN_LINES."""
    return _trend(series.at, series.value, np.full(len(series.at), np.nan))


def _trend(at: Values, loss: Values, rate: Values) -> Trend | None:
    fine = _usable(loss)
    at, loss, rate = at[fine], loss[fine], rate[fine]
    if len(loss) < MIN_LINES:
        return None
    start = max(float(np.median(loss[: max(len(loss) // 50, 1)])), float(np.median(loss[:5])))
    size = max(abs(start), float(np.ptp(np.quantile(loss, [0.25, 0.75]))), 1e-300)
    begins = np.linspace(0, len(loss), min(len(loss), BINS) + 1).astype(int)[:-1]
    count = np.diff(begins, append=len(loss))
    value = np.add.reduceat(_clipped(loss, start + size, size), begins) / count
    x = np.arange(len(begins), dtype=float)
    width = max(1.5, 0.04 * len(begins))
    fit = local_lines(x, value[None], width)
    noise = np.maximum(fit.noise, _from_differences(x, value, 3 * width))
    factor = _error_factor((value - fit.smooth) / np.maximum(noise, 1e-300))
    error = factor * noise * fit.height_error
    return Trend(
        at[begins], value, fit.smooth, error, noise, factor, rate[begins], loss[begins],
        start + size,
    )  # fmt: skip


def _clipped(loss: Values, top: float, size: float) -> Values:
    """Clip losses slightly above `top`: diverged ones keep their order without hiding others."""
    beyond = np.maximum(loss / size - top / size, 0.0)
    return np.minimum(loss, top) + 0.01 * size * np.log1p(beyond)


def _error_factor(residuals: Values) -> float:
    """√((1 + ρ)/(1 − ρ)) of residuals over their noise.

    ρ is the correlation of neighbours. Losses of a training are seldom independent, and few lines
    do not show it: with fewer than a hundred, ρ is MIN_CORRELATION at least.
    """
    total = np.sum(residuals**2)
    near = np.sum(residuals[1:] * residuals[:-1]) / total if total > 0 else 0.0
    near = np.clip(near, MIN_CORRELATION if len(residuals) < 100 else 0.0, 0.9)
    return float(np.sqrt((1 + near) / (1 - near)))


def _from_differences(x: Values, value: Values, width: float) -> Values:
    """Standard deviation from second differences, as a few points leave too small residuals."""
    weight = np.exp(-0.5 * ((x[:, None] - x[None, 1:-1]) / width) ** 2)
    return np.sqrt(weight @ (np.diff(value, 2) ** 2 / 6) / weight.sum(1))
