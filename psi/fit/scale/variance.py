"""What the best rate depends on: shares of the variance of log α* between tasks.

Sums of squares give variances between domains (B) and within them (W), with and without facts X.
With Z the domains' indicators, M_X the projection that takes X and a constant away, SS the sum of
squares of what a regression leaves and r a rank (Henderson's third method: Henderson 1953,
Biometrics 9, 226–252),

    W(X) = SS(X, Z) / (n − r(X, Z)),
    B(X) = (SS(X) − SS(X, Z) − W(X) (r(X, Z) − r(X))) / tr(Zᵀ M_X Z),

which allows for what facts explain of a few domains by chance. Of the total B + W without facts

    domain, by facts       B − B(X)       within domains, by facts   W − W(X)
    domain, else           B(X)           noise of the label         mean variance of log α*
                                          unexplained                W(X) − noise

each held at 0 or above and within what there is to divide, so that they sum to 1. `facts.OF_DATA`
and `facts.OF_TRAINING` name the facts of the data and of the training, for shares of each alone.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from psi.fit.scale.facts import FactSet, design
from psi.fit.scale.tuned import TunedTasks
from psi.ideal.resampling import jackknife_error, numbered, student_width

SHARES = (
    "domain, by facts", "domain, else", "within domains, by facts", "noise of the label",
    "unexplained",
)  # fmt: skip
TINY = 1e-9
Values = Float[np.ndarray, " task"]
Numbers = Int[np.ndarray, " task"]


def components(
    values: Values, x: Float[np.ndarray, "task fact"], number: Numbers
) -> tuple[float, float]:
    """(variance between domains, variance within them) beside what the columns of x explain.

    Example:
        >>> y, domain = np.array([0.0, 2.0, 6.0, 8.0]), np.array([0, 0, 1, 1])
        >>> components(y, np.zeros((4, 0)), domain)  # means 1 and 7: 6²/2 − 2/2
        (17.0, 2.0)
    """
    z = np.eye(int(number.max()) + 1)[number]
    known = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    facts, both = _basis(known), _basis(np.concatenate([known, z], axis=1))
    left, least = (_squares(values, q) for q in (facts, both))
    within = least / (len(values) - both.shape[1])
    trace = len(values) - ((facts.T @ z) ** 2).sum()
    between = (left - least - within * (both.shape[1] - facts.shape[1])) / max(trace, TINY)
    return max(0.0, float(round(between, 12))), round(within, 12)


def _basis(x: Float[np.ndarray, "task column"]) -> Float[np.ndarray, "task rank"]:
    """An orthonormal basis of the columns; their scale does not matter."""
    u, sizes, _ = np.linalg.svd(
        x / np.maximum(np.linalg.norm(x, axis=0), TINY), full_matrices=False
    )
    return u[:, sizes > TINY * sizes[0]]


def _squares(values: Values, basis: Float[np.ndarray, "task rank"]) -> float:
    return float(((values - basis @ (basis.T @ values)) ** 2).sum())


def shares(
    log_rate: Values, error: Values, x: Float[np.ndarray, "task fact"], number: Numbers
) -> Float[np.ndarray, " share"]:
    """The shares of `SHARES`, of best log rates with standard errors and the columns of facts."""
    between, within = components(log_rate, x[:, :0], number)
    left = components(log_rate, x, number)
    between_left, within_left = min(left[0], between), min(left[1], within)
    noise = min(float((error**2).mean()), within_left)
    parts = (between - between_left, between_left, within - within_left, noise, within_left - noise)
    return np.array(parts) / (between + within)


def variance_shares(tasks: TunedTasks, facts: FactSet, schedule: str = "linear") -> pd.DataFrame:
    """The shares with 95 % intervals of a jackknife over domains.

    Args:
        tasks: the tasks, of one optimizer and target; those whose best rate is the first or last
            that was tried do not count.
        facts: which facts.
        schedule: whose best rates.

    Returns:
        A row a share: part, share, low, high.

    Raises:
        ValueError: there are fewer than three domains, or too few tasks for the constants.
    """
    kept = tasks.take(tasks.best[schedule].interior)
    best, x = kept.best[schedule], design(kept.facts, facts)
    names = np.unique(kept.domain)
    least = min((int((kept.domain != name).sum()) for name in names), default=0)
    if len(names) < 3 or least < len(names) + facts.constants:
        raise ValueError(
            f"shares need at least 3 domains, and without any of these as many tasks as domains "
            f"and constants, got {len(names)} domains, {least} tasks, {facts.constants} constants"
        )

    def of(rows: np.ndarray) -> Float[np.ndarray, " share"]:
        number = numbered(kept.domain[rows])
        return shares(best.log_rate[rows], best.error[rows], x[rows], number)

    whole = of(np.arange(len(x)))
    left_out = np.array([of(np.flatnonzero(kept.domain != name)) for name in names])
    width = student_width(len(names)) * jackknife_error(left_out)
    low, high = np.clip([whole - width, whole + width], 0.0, 1.0)
    return pd.DataFrame({"part": SHARES, "share": whole, "low": low, "high": high})
