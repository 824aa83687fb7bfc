"""The space that all searches share: polynomial schedules by their peak rate and power.

    α_i = peak · (1 − i/T)^power

with log peak uniform over the bounds of the optimizer's rates and power uniform in 0 … 2: 0 is a
constant rate, 1 is linear. A point (u, v) of the unit square is log peak and power, each as the
share of its range.
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float

DIMENSIONS = 2
POWERS = 2.0

Points: TypeAlias = Float[np.ndarray, "search trial 2"]
Losses: TypeAlias = Float[np.ndarray, "search trial"]


def schedules(
    points: Float[np.ndarray, "*trial 2"], ends: tuple[float, float], epochs: int
) -> Float[np.ndarray, "*trial {epochs}"]:
    """The rates of each point; `ends` are the lowest and the highest peak."""
    low, high = np.log(ends)
    peak = np.exp(low + points[..., :1] * (high - low))
    return peak * (1 - np.arange(epochs) / epochs) ** (POWERS * points[..., 1:])
