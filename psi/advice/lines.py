"""Lines fitted around every point of a noisy curve: how high it is there, and where it goes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]


class Lines(NamedTuple):
    """Around each x the line fitted by weighted squares; shape=(points,) each."""

    smooth: Curve
    """Its height at x."""
    slope: Curve
    noise: Curve
    """Standard deviation of one value around it."""
    unsure: Curve
    """Standard error of the height, times noise."""
    unsure_slope: Curve
    """Standard error of the slope, times noise."""


def lines(x: Curve, values: Curve, width: float) -> Lines:
    """Of values of shape (runs, points) at x, with Gaussian weights of that standard deviation.

    Noise is taken from the residuals around each x: it differs along a curve.
    """
    mean, count = values.mean(0), len(values)
    away = x[None] - x[:, None]
    weight = np.exp(-0.5 * (away / width) ** 2)
    total, first, second = (np.sum(weight * away**k, 1) for k in range(3))
    size = total * second - first**2
    # The height and the slope are sums of the values with these weights.
    height = weight * (second[:, None] - first[:, None] * away) / size[:, None]
    tilt = weight * (total[:, None] * away - first[:, None]) / size[:, None]
    smooth, slope = height @ mean, tilt @ mean
    line = smooth[:, None] + slope[:, None] * away
    spread = ((values[:, None] - line[None]) ** 2).mean(0)
    noise = np.sqrt(np.sum(weight * spread, 1) / np.maximum(total - 2 / count, 0.5))
    unsure, unsure_slope = (np.sqrt(np.sum(each**2, 1) / count) for each in (height, tilt))
    return Lines(smooth, slope, noise, unsure, unsure_slope)
