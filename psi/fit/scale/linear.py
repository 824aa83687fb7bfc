"""A power law of the facts, fitted to the regret.

    min over w of  Σ_t ω_t lost_t(w_0 + z_t · w) + λ ‖w‖²,    ω_t ∝ 1/√(tasks of its domain),

with z the standardised logarithms of the facts and w_0 free. The regret is asymmetric, a rate that
is too high costs more, so the fit stays below the middle of the best rates by as much as they are
uncertain. Domains are weighted halfway between "all tasks alike", where the largest generator
family decides, and "all domains alike", where three tasks decide as much as three hundred.

The regret of a far rate is flat (everything diverges), so the search begins at a ridge regression
of the best rates and at the best single rate, first on regrets blurred by ± 1 nat, then on the
regrets themselves (L-BFGS). The least of both is the fit; nothing is random.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.optimize import minimize

from psi.fit.scale.facts import FactSet, design
from psi.fit.scale.regret import Curves, blurred, regret_at, slope_at
from psi.fit.scale.tuned import TunedTasks
from psi.ideal.resampling import numbered

BLUR = 1.0  # nats
TINY = 1e-9
PULL = 1e-2  # of the ridge regression that a search starts from


class Candidate(NamedTuple):
    """What a fit may be: which facts, how strongly held, on which schedule."""

    facts: FactSet
    penalty: float = 1e-2
    """λ, nats of regret for an exponent of 1 of a fact in its standard deviations"""
    schedule: str = "linear"


class Fit(NamedTuple):
    """log α = intercept + exponents · `design`."""

    facts: FactSet
    intercept: float
    exponents: Float[np.ndarray, " exponent"]

    def log_rates(self, facts: pd.DataFrame) -> Float[np.ndarray, " task"]:
        """The log of the rate for each row of facts."""
        return self.intercept + design(facts, self.facts) @ self.exponents


def task_weights(domain: np.ndarray) -> Float[np.ndarray, " task"]:
    """ω, which sums to 1: tasks weigh 1/√n in a domain of n.

    Example:
        >>> task_weights(np.array(["a", "a", "a", "a", "b"])).tolist()
        [0.166..., 0.166..., 0.166..., 0.166..., 0.333...]
    """
    number = numbered(domain)
    weight = 1 / np.sqrt(np.bincount(number)[number])
    return weight / weight.sum()


def fit_linear(
    tasks: TunedTasks,
    candidate: Candidate,
    weight: Float[np.ndarray, " task"] | None = None,
) -> Fit:
    """The power law of least mean regret over tasks.

    Args:
        tasks: the tasks, of one optimizer and target.
        candidate: which facts, penalty and schedule.
        weight: of each task; `task_weights` of their domains if it is not given.

    Returns:
        The fit, its exponents those of the facts themselves.
    """
    share = task_weights(tasks.domain) if weight is None else weight / weight.sum()
    x = design(tasks.facts, candidate.facts)
    shift = share @ x
    spread = np.sqrt(share @ (x - shift) ** 2)
    # A fact that is the same in all tasks says nothing, and keeps the exponent 0.
    z = np.where(spread > TINY, (x - shift) / np.maximum(spread, TINY), 0.0)
    z = np.concatenate([np.ones((len(x), 1)), z], axis=1)
    regret = tasks.curves[candidate.schedule]
    smooth = blurred(regret, BLUR)
    starts = (
        _ridge(z, tasks.best[candidate.schedule].log_rate, share),
        np.append(_single(smooth, share), np.zeros(x.shape[1])),
    )
    found = []
    for start in starts:
        near = _descended(smooth, z, share, candidate.penalty, start)
        found.append(_descended(regret, z, share, candidate.penalty, near[1]))
    w = min(found, key=lambda each: each[0])[1]
    exponents = w[1:] / np.maximum(spread, TINY) * (spread > TINY)
    return Fit(candidate.facts, float(w[0] - shift @ exponents), exponents)


def _ridge(
    z: Float[np.ndarray, "task weight"],
    log_rate: Float[np.ndarray, " task"],
    weight: Float[np.ndarray, " task"],
) -> Float[np.ndarray, " weight"]:
    """Ridge regression of the best rates, which neither noise nor few tasks make singular."""
    moments = z.T @ (weight[:, None] * z) + PULL * np.eye(z.shape[1])
    return np.linalg.solve(moments, z.T @ (weight * log_rate))


def _single(curves: Curves, weight: Float[np.ndarray, " task"]) -> float:
    """The knot at which all tasks together lose least."""
    return float(curves.knots[int(np.argmin(curves.coefficients[-1] @ weight))])


def _descended(
    curves: Curves,
    z: Float[np.ndarray, "task weight"],
    weight: Float[np.ndarray, " task"],
    penalty: float,
    start: Float[np.ndarray, " weight"],
) -> tuple[float, Float[np.ndarray, " weight"]]:
    """(the least penalised regret, its weights) of a descent from `start`."""
    held = np.append(0.0, np.full(z.shape[1] - 1, penalty))

    def objective(w: Float[np.ndarray, " weight"]) -> tuple[float, Float[np.ndarray, " weight"]]:
        log_rate = z @ w
        value = weight @ regret_at(curves, log_rate) + held @ w**2
        return float(value), z.T @ (weight * slope_at(curves, log_rate)) + 2 * held * w

    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return float(found.fun), found.x
