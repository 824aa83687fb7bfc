"""The course of a logged loss without its noise."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from psi.advice.lines import Curve, lines
from psi.advice.log import Log

BINS = 200  # a longer log is averaged into so many
LEAST = 8  # lines with a finite loss
SURE = 4.5  # standard errors
FEW = 0.3  # correlation of neighbouring lines where it cannot be told
MOST = 1e100


class Trend(NamedTuple):
    """A log's finite losses in bins, held near twice the first; shape=(bins,) each."""

    at: Curve
    """Where a bin begins, as the log counts."""
    loss: Curve
    smooth: Curve
    """Lines fitted around every bin."""
    error: Curve
    """Standard error of `smooth`."""
    noise: Curve
    """Standard deviation of `loss` around it."""
    memory: float
    """By what factor means of `loss` are less sure than of independent values."""
    rate: Curve
    """NaN where the log has none."""
    logged: Curve
    """The first line of each bin, as it is in the log."""
    top: float
    """Beyond this `loss` is held."""

    @property
    def fall(self) -> float:
        """From the first to the lowest, or a fifth of the first where that is more."""
        return max(self.smooth[0] - self.smooth.min(), 0.2 * abs(self.smooth[0]), 1e-12)

    @property
    def error_of_thirds(self) -> float:
        """Standard error of the difference between the means of the last two thirds."""
        third = len(self.at) // 3
        return self.memory * float(np.sqrt(np.mean(self.noise[third:] ** 2) * 2 / third))

    def sure(self, one: int, other: int) -> float:
        """What the heights at two bins differ by beyond doubt."""
        return SURE * float(np.hypot(self.error[one], self.error[other]))


def usable(log: Log) -> NDArray[np.bool_]:
    """Which lines have a loss that can be reckoned with: finite, and not beyond all measure."""
    return np.abs(log.loss) < MOST


def trend(log: Log) -> Trend | None:
    """None where there are fewer than LEAST usable losses."""
    fine = usable(log)
    loss = log.loss[fine]
    if len(loss) < LEAST:
        return None
    # A first line may be 0 before anything is known of the loss.
    start = max(float(np.median(loss[: max(len(loss) // 50, 1)])), float(np.median(loss[:5])))
    size = max(abs(start), float(np.ptp(np.quantile(loss, [0.25, 0.75]))), 1e-300)
    begins = np.linspace(0, len(loss), min(len(loss), BINS) + 1).astype(int)[:-1]
    count = np.diff(begins, append=len(loss))
    value = np.add.reduceat(_held(loss, start + size, size), begins) / count
    x = np.arange(len(begins), dtype=float)
    width = max(1.5, 0.04 * len(begins))
    fit = lines(x, value[None], width)
    noise = np.maximum(fit.noise, _from_differences(x, value, 3 * width))
    memory = _memory((value - fit.smooth) / np.maximum(noise, 1e-300))
    error = memory * noise * fit.unsure
    at, rate = log.at[fine][begins], log.rate[fine][begins]
    return Trend(at, value, fit.smooth, error, noise, memory, rate, loss[begins], start + size)


def _held(loss: Curve, top: float, size: float) -> Curve:
    """At the top and a little, that what diverged keeps its order and hides nothing."""
    beyond = np.maximum(loss / size - top / size, 0.0)
    return np.minimum(loss, top) + 0.01 * size * np.log1p(beyond)


def _memory(residuals: Curve) -> float:
    """√((1 + ρ)/(1 − ρ)) of residuals over their noise.

    ρ is the correlation of neighbours. Few lines cannot tell it, and losses of a training are
    seldom independent: it counts as FEW at least where there are fewer than a hundred.
    """
    size = np.sum(residuals**2)
    near = np.sum(residuals[1:] * residuals[:-1]) / size if size > 0 else 0.0
    near = np.clip(near, FEW if len(residuals) < 100 else 0.0, 0.9)
    return float(np.sqrt((1 + near) / (1 - near)))


def _from_differences(x: Curve, value: Curve, width: float) -> Curve:
    """Standard deviation from second differences: of a few points residuals tell too little."""
    weight = np.exp(-0.5 * ((x[:, None] - x[None, 1:-1]) / width) ** 2)
    return np.sqrt(weight @ (np.diff(value, 2) ** 2 / 6) / weight.sum(1))
