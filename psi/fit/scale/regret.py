"""The regret of any rate on every task: monotone cubics between the rates that were tried.

A fit moves log α continuously, so a task's regrets on its grid become a function of log α:
piecewise cubic, monotone between neighbours and with continuous slope (PCHIP: Fritsch & Carlson
1980, doi 10.1137/0717021), which a quasi-Newton method needs and straight lines do not give.
Straight lines also pass above the floor of a valley: by 0.02 to 0.05 nats on average where rates
are a factor of 2 apart and a rate 1 nat off costs 0.3 to 0.9, these cubics by 0.01 at most. Beyond
the grid the regret rises by one nat for each nat of log α, so that a search comes back.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator, PPoly

from psi.law.namespace import Array, Namespace


class Curves(NamedTuple):
    """The regret of each task as a function of log α."""

    knots: Float[np.ndarray, " knot"]
    """log α, rising"""
    coefficients: Float[np.ndarray, "power interval task"]
    """Of (x − knot)³, …, (x − knot)⁰."""

    def take(self, index: np.ndarray) -> "Curves":
        """The tasks at `index` (a mask or positions)."""
        return Curves(self.knots, self.coefficients[:, :, index])


def curves(grid: Float[np.ndarray, " rate"], regret: Float[np.ndarray, "task rate"]) -> Curves:
    """Curves through the regrets at the log rates of `grid`, which rise; all finite.

    Example:
        >>> made = curves(np.arange(4.0), np.array([[2.0, 0.0, 0.0, 5.0]]))
        >>> [float(regret_at(made, np.array([x]))[0]) for x in (1, 1.5, 3, 4, -2)]
        [0.0, 0.0, 5.0, 6.0, 4.0]
    """
    beyond = np.array([1.0, 2.0])
    knots = np.concatenate([grid[0] - beyond[::-1], grid, grid[-1] + beyond])
    values = np.concatenate([regret[:, :1] + beyond[::-1], regret, regret[:, -1:] + beyond], axis=1)
    return Curves(knots, np.asarray(PchipInterpolator(knots, values, axis=1).c))


def _parts(curves: Curves, log_rate: Array, xp: Namespace) -> tuple[Array, Array, Array]:
    """(the log rate held between the ends, its distance from the knot, the coefficients)."""
    knots, tasks = xp.asarray(curves.knots), xp.arange(curves.coefficients.shape[2])
    inside = xp.clip(log_rate, knots[0], knots[-1])
    place = xp.clip(xp.searchsorted(knots, inside, side="right") - 1, 0, len(curves.knots) - 2)
    return inside, inside - knots[place], xp.asarray(curves.coefficients)[:, place, tasks]


def regret_at(curves: Curves, log_rate: Array, xp: Namespace = np) -> Array:
    """What the rate exp(log_rate) loses on each task [nats], shape=(task,)."""
    inside, u, (c3, c2, c1, c0) = _parts(curves, log_rate, xp)
    return ((c3 * u + c2) * u + c1) * u + c0 + xp.abs(log_rate - inside)


def slope_at(curves: Curves, log_rate: Float[np.ndarray, " task"]) -> Float[np.ndarray, " task"]:
    """The derivative of `regret_at` by log α."""
    inside, u, (c3, c2, c1, _) = _parts(curves, log_rate, np)
    return np.where(log_rate == inside, (3 * c3 * u + 2 * c2) * u + c1, np.sign(log_rate - inside))


def blurred(curves: Curves, width: float) -> Curves:
    """The mean regret of rates up to ± `width` nats away: fewer kinks and no flat ground."""
    points = curves.knots[:, None] + width * np.linspace(-1, 1, 5)
    inside = np.clip(points, curves.knots[0], curves.knots[-1])
    values = PPoly(curves.coefficients, curves.knots)(inside) + np.abs(points - inside)[..., None]
    return Curves(curves.knots, np.asarray(PchipInterpolator(curves.knots, values.mean(1)).c))
