"""The constants of a formula, refitted: weighted robust least squares in log α.

    min over constants of  Σ_k ρ(√w_k (log Ψ(x_k) − log α_k)),   ρ(r) = 2(√(1 + r²) − 1),

w of mean 1, so that a label a nat or more off counts linearly (soft L1); with `robust` off,
ρ(r) = r². numpy alone, for hundreds of structures of which each is fitted a few times; many
starts and resamples of few families are faster in `psi.fit.formula.curves`.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from psi.fit.formula.formula import Form, bound, constants
from psi.fit.formula.formula import starts as starts_of
from psi.fit.formula.gradient import steps, value_and_jacobian
from psi.fit.formula.points import Points
from psi.fit.formula.residuals import Problem, Vector, problem, solve
from psi.law.expression import Expression

SPREAD = 1.0  # nats, standard deviation of how far further starts are from the first
SINGULAR = 1e-6  # of the largest singular value: constants that the points do not tell apart


class Refitted(NamedTuple):
    """A formula with its constants, or why it has none."""

    tree: Expression
    """With the constants as variables."""
    names: tuple[str, ...]
    values: Vector
    errors: Vector
    """Standard errors if points were independent, from the Jacobian; `intervals` asks tasks."""
    error: float
    """Root of the weighted mean of (log Ψ − log α)², nats; ∞ after a failure."""
    failure: str
    """Empty, or a reason."""

    @property
    def formula(self) -> Expression:
        """The tree with its constants in place."""
        return bound(self.tree, self.start)

    @property
    def start(self) -> Mapping[str, float]:
        """The constants by name, from where another fit may start."""
        return dict(zip(self.names, map(float, self.values), strict=True))

    @property
    def form(self) -> Form:
        """The structure, to be fitted again from here."""
        return Form(self.tree, self.start)


def refit(
    form: Form, points: Points, starts: int = 1, seed: int = 0, robust: bool = True
) -> Refitted:
    """The best of fits from the form's start and `starts` − 1 more around it.

    Raises ValueError where fewer points count than there are constants. A formula that is not
    finite and positive at every point that counts is a failure and no exception.
    """
    names = constants(form.tree, points.names)
    used = points.take(points.weight > 0)
    if len(used.weight) < len(names):
        raise ValueError(
            f"{len(names)} constants need as many points at least, column "
            f"{points.names[0]} has {len(used.weight)} that count"
        )
    first = np.array(list(starts_of(form, points.names).values()), float)
    rng = np.random.default_rng(seed)
    # Further starts: other sizes of each constant, now and then another sign.
    scales = np.exp(SPREAD * rng.normal(size=(starts - 1, len(names))))
    signs = np.where(rng.uniform(size=scales.shape) < 0.1, -1.0, 1.0)
    with np.errstate(all="ignore"):
        asked = problem(form.tree, names, used)
        tries = [solve(asked, start, robust) for start in (first, *(first * scales * signs))]
    costs = [np.inf if each is None else each[0] for each in tries]
    best = tries[int(np.argmin(costs))]
    if best is None:
        nowhere = np.full(len(names), np.nan)
        reason = "not finite and positive at every point"
        return Refitted(form.tree, names, nowhere, nowhere, np.inf, reason)
    return _result(form.tree, asked, best[1])


def log_apart(fitted: Refitted, points: Points) -> Float[np.ndarray, " point"]:
    """The difference log Ψ − log α at each point; NaN where Ψ is not positive."""
    at = dict(zip(points.names, points.values, strict=True)) | dict(fitted.start)
    with np.errstate(all="ignore"):
        rate, _ = value_and_jacobian(steps(fitted.tree, ()), at, (), len(points.weight))
        return np.log(rate) - points.log_rate


def _result(tree: Expression, asked: Problem, found: Vector) -> Refitted:
    names = asked.names
    with np.errstate(all="ignore"):
        apart, slopes = asked.logs(found)
    free, count = slopes.shape
    error = float(np.sqrt((apart**2).mean()))
    if not free:
        return Refitted(tree, names, found, found, error, "")
    with np.errstate(all="ignore"):
        sizes = np.linalg.norm(slopes, axis=1, keepdims=True)
    if np.isfinite(sizes).all() and (sizes > 0).all():
        scaled = slopes / sizes
        # Squares of the singular values: the matrix is a few constants wide.
        gram = scaled @ scaled.T
        values = np.linalg.eigvalsh(gram)
        if values[0] > SINGULAR**2 * values[-1]:
            variance = (apart**2).sum() / max(count - free, 1)
            errors = np.sqrt(variance * np.diag(np.linalg.inv(gram))) / sizes[:, 0]
            return Refitted(tree, names, found, errors, error, "")
    reason = "the points do not determine its constants"
    return Refitted(tree, names, found, np.full(free, np.inf), error, reason)
