"""Extend a grid of rates until the best rate of each method lies inside it."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Scores = Callable[[Float[np.ndarray, " rate"]], Float[np.ndarray, "method rate"]]
"""rates → score of each method at each; lower is better"""


def interior(
    scores: Scores, grid: Float[np.ndarray, " rate"], more: int, extensions: int
) -> tuple[Float[np.ndarray, " rate_in_all"], Float[np.ndarray, "method rate_in_all"]]:
    """(grid, scores) of the extended grid; lower scores are better.

    `grid` is geometric. While a method's best rate is at an edge, `more` rates are added there with
    the same ratio, at most `extensions` times.
    """
    found, ratio = scores(grid), grid[1] / grid[0]
    for _ in range(extensions):
        best = found.argmin(1)
        if (best == 0).any():
            new = grid[0] * ratio ** np.arange(-more, 0.0)
            grid, found = np.r_[new, grid], np.c_[scores(new), found]
        elif (best == len(grid) - 1).any():
            new = grid[-1] * ratio ** np.arange(1.0, more + 1)
            grid, found = np.r_[grid, new], np.c_[found, scores(new)]
        else:
            break
    return grid, found
