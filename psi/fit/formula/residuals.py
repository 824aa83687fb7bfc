"""Residuals of a formula in its constants, and the descent that makes them small.

min over constants of  Σ_k ρ(r_k),   ρ(r) = 2(√(1 + r²) − 1)
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares

from psi.fit.formula.formula import Formula, Vector
from psi.fit.formula.gradient import Step, steps, value_and_jacobian
from psi.fit.formula.points import Points

STEPS = 60
FAR = 1e3  # nats, the residual of what is no positive number: a step there is not taken

Residuals = tuple[Float[np.ndarray, " point"], Float[np.ndarray, "constant point"]]
"""Residuals and their derivatives in each constant."""


class Problem(NamedTuple):
    """A formula and the points that it is fitted to, with w of mean 1."""

    program: tuple[Step, ...]
    names: tuple[str, ...]
    """Of its constants."""
    features: Mapping[str, Float[np.ndarray, " point"]]
    log_rate: Float[np.ndarray, " point"]
    root: Float[np.ndarray, " point"]
    """√w"""

    def rate(self, constants: Vector) -> Residuals:
        """Ψ and its derivatives."""
        at = dict(self.features) | dict(zip(self.names, constants, strict=True))
        return value_and_jacobian(self.program, at, self.names, len(self.root))

    def logs(self, constants: Vector) -> Residuals:
        """The residuals √w (log Ψ − log α)."""
        rate, slopes = self.rate(constants)
        return self.root * (np.log(rate) - self.log_rate), slopes * (self.root / rate)

    def relative(self, constants: Vector) -> Residuals:
        """The residuals √w (Ψ/α − 1)."""
        rate, slopes = self.rate(constants)
        scale = self.root * np.exp(-self.log_rate)
        return scale * rate - self.root, slopes * scale


def pose(formula: Formula, points: Points) -> Problem:
    """The problem of fitting the constants of a formula to points."""
    names = formula.names
    root = np.sqrt(points.weight / points.weight.mean())
    features = dict(zip(points.names, points.values, strict=True))
    return Problem(steps(formula.tree, names), names, features, points.log_rate, root)


def solve(problem: Problem, start: Vector) -> tuple[float, Vector] | None:
    """(objective, constants), or None where none are positive at every point.

    From a start where Ψ is not positive everywhere, relative residuals lead to one where it is:
    a small rate may be off by more than itself, and its logarithm does not exist.
    """
    if not _fine(problem.logs(start)):
        if not _fine(problem.relative(start)):
            return None
        start = _descend(problem.relative, start)[1]
        if not _fine(problem.logs(start)):
            return None
    return _descend(problem.logs, start)


def _fine(residuals: Residuals) -> bool:
    return bool(np.isfinite(residuals[0]).all())


def _descend(residuals: Callable[[Vector], Residuals], start: Vector) -> tuple[float, Vector]:
    """Levenberg and Marquardt's method (MINPACK) on residuals whose squares are ρ."""

    def soft(constants: Vector) -> Residuals:
        return _finite(_soft(*residuals(constants)))

    if not len(start):
        return float((soft(start)[0] ** 2).sum()), start
    # The last point is kept: residuals and derivatives come together, and are asked for in turn.
    kept = lru_cache(1)(lambda at: soft(np.frombuffer(at)))
    found = least_squares(
        lambda c: kept(c.tobytes())[0],
        start,
        jac=lambda c: kept(c.tobytes())[1].T,  # pyright: ignore[reportArgumentType]  the stub of `lm` lacks it
        method="lm",
        x_scale="jac",
        max_nfev=STEPS,
    )
    return float(found.cost), found.x


def _soft(r: Float[np.ndarray, " point"], slopes: Float[np.ndarray, "constant point"]) -> Residuals:
    """The residuals s·r whose squares are ρ(r): s² = 2/(1 + q), q = √(1 + r²).

    Their derivative by r is s (1 + 1/q)/2.
    """
    q = np.sqrt(1 + r * r)
    s = np.sqrt(2 / (1 + q))
    return r * s, slopes * (s * (1 + 1 / q) / 2)


def _finite(residuals: Residuals) -> Residuals:
    r, slopes = residuals
    if np.isfinite(r).all() and np.isfinite(slopes).all():
        return residuals
    r = np.nan_to_num(r, nan=FAR, posinf=FAR, neginf=FAR)
    return r, np.nan_to_num(slopes, posinf=0, neginf=0)
