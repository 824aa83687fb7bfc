"""The constants of a formula, refitted: weighted robust least squares in log α.

    min over constants of  Σ_k ρ(√w_k (log Ψ(x_k) − log α_k)),   ρ(r) = 2(√(1 + r²) − 1),

w of mean 1, so that a label a nat or more off counts linearly (soft L1). numpy alone, for hundreds
of structures of which each is fitted a few times; many starts and folds of few families are faster
in `psi.fit.formula.curves`.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from psi.fit.formula.formula import Candidate, Formula, Vector
from psi.fit.formula.points import Points
from psi.fit.formula.residuals import Problem, pose, solve
from psi.law.expression import Expression

SPREAD = 1.0  # nats, standard deviation of how far further starts are from the first
SINGULAR = 1e-6  # of the largest singular value: constants that the points do not tell apart


class Fit(NamedTuple):
    """A formula with fitted constants, or why it has none."""

    formula: Formula
    fitted: Vector
    """The constants as they are searched; NaN after a failure."""
    error: float
    """Root of the weighted mean of (log Ψ − log α)², nats; ∞ after a failure."""
    failure: str = ""
    """Empty, or a reason."""

    @property
    def expression(self) -> Expression:
        """The formula with its constants in place."""
        return self.formula.bound(self.fitted)

    @property
    def candidate(self) -> Candidate:
        """The formula, to be fitted again from here."""
        return Candidate(self.formula, self.fitted)


def refit(candidate: Candidate, points: Points, starts: int = 1) -> Fit:
    """The best of fits from the candidate's start and `starts` − 1 more around it.

    Constants themselves are moved, also those that must be positive. Raises ValueError where fewer
    points count than there are constants. A formula that is not finite and positive at every point
    that counts is a failure and no exception.
    """
    formula = candidate.formula
    count = len(formula.parameters)
    used = points.take(points.weight > 0)
    if len(used.weight) < count:
        raise ValueError(
            f"{count} constants need as many points at least, column "
            f"{points.names[0]} has {len(used.weight)} that count"
        )
    first = np.array(formula.constants(candidate.first), float)
    rng = np.random.default_rng(0)
    # Further starts: other sizes of each constant, now and then another sign.
    scales = np.exp(SPREAD * rng.normal(size=(starts - 1, count)))
    signs = np.where(rng.uniform(size=scales.shape) < 0.1, -1.0, 1.0)
    with np.errstate(all="ignore"):
        problem = pose(formula, used)
        tries = [solve(problem, start) for start in (first, *(first * scales * signs))]
    costs = [np.inf if each is None else each[0] for each in tries]
    best = tries[int(np.argmin(costs))]
    if best is None:
        reason = "not finite and positive at every point"
        return Fit(formula, np.full(count, np.nan), np.inf, reason)
    return _result(formula, problem, best[1])


def log_residuals(fit: Fit, points: Points) -> Float[np.ndarray, " point"]:
    """The difference log Ψ − log α at each point; NaN where Ψ is not positive."""
    with np.errstate(all="ignore"):
        rate = fit.formula.value(points.names, points.values, fit.fitted, np)
        return np.log(np.broadcast_to(rate, points.log_rate.shape)) - points.log_rate


def _result(formula: Formula, problem: Problem, constants: Vector) -> Fit:
    with np.errstate(all="ignore"):
        residuals, slopes = problem.logs(constants)
        error = float(np.sqrt((residuals**2).mean()))
        sizes = np.linalg.norm(slopes, axis=1, keepdims=True)
    reason = "" if _determined(slopes, sizes) else "the points do not determine its constants"
    return Fit(formula, formula.searched(constants), error, reason)


def _determined(
    slopes: Float[np.ndarray, "constant point"], sizes: Float[np.ndarray, "constant 1"]
) -> bool:
    """Whether no combination of the constants leaves Ψ as it is at every point."""
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        return False
    if not len(slopes):
        return True
    scaled = slopes / sizes
    # Squares of the singular values: the matrix is a few constants wide.
    values = np.linalg.eigvalsh(scaled @ scaled.T)
    return bool(values[0] > SINGULAR**2 * values[-1])
