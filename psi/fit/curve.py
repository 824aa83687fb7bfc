"""A closed form: a power law in the relative loss and in what is left of the budget.

    Ψ = a · (ε/ε_0)^b · (1 − i/T)^c,

Fitted to the regret in the cells, starting from weighted robust least squares in log α. With
b = 0, c = 1 it is the linear schedule of Defazio et al. 2023 (arXiv 2310.07831); b says how much
the loss adds to the epoch.
"""

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares, minimize

from psi.fit.labels import FEATURES, Labels, domain, lost_at, rates
from psi.law.expression import Apply, Constant, Expression, Variable
from psi.law.law import Constant as Fitted
from psi.law.law import Law

RESAMPLES = 200
NAMES = ("a", "b", "c")


def fit_curve(points: Labels, optimizer: str, seed: int = 0, resamples: int = RESAMPLES) -> Law:
    """The closed form fitted to labels, its constants with 95 % bootstrap intervals over tasks.

    With `resamples` = 0 the law carries no constants: quicker, for scores on left-out domains.
    """
    log_a, b, c = minimise(points)
    best = (float(np.exp(log_a)), float(b), float(c))
    return Law(
        model=formula(*best),
        features=FEATURES,
        domain=domain(points),
        rates=rates(points),
        optimizer=optimizer,
        initial_loss=float(np.median(points.initial_loss)),
        constants=_intervals(points, best, resamples, seed) if resamples else (),
    )


def formula(a: float, b: float, c: float) -> Expression:
    """The tree of a · loss_ratio^b · (1 − progress)^c."""
    left = Apply("sub", (Constant(1.0), Variable("progress")))
    loss_factor = Apply("pow", (Variable("loss_ratio"), Constant(b)))
    epoch_factor = Apply("pow", (left, Constant(c)))
    return Apply("mul", (Apply("mul", (Constant(a), loss_factor)), epoch_factor))


def solve(points: Labels) -> Float[np.ndarray, "3"]:
    """The (log a, b, c) that minimise Σ ρ(√w (log Ψ − log α)), ρ the soft L1 loss."""
    design, root = _design(points), np.sqrt(points.weight / points.weight.mean())

    def residuals(constants: np.ndarray) -> np.ndarray:
        return root * (design @ constants - points.log_rate)

    start = np.array([np.median(points.log_rate), 0.0, 0.0])
    return least_squares(residuals, start, loss="soft_l1").x


def minimise(points: Labels) -> Float[np.ndarray, "3"]:
    """The (log a, b, c) with the least mean regret over cells, searched from `solve`'s."""
    design = _design(points)

    def objective(constants: np.ndarray) -> float:
        return float(lost_at(points.tried, points.lost, design @ constants, np).mean())

    # Piecewise linear in three unknowns: a simplex needs no gradient.
    options = {"xatol": 1e-4, "fatol": 1e-6, "maxiter": 400}
    return minimize(objective, solve(points), method="Nelder-Mead", options=options).x


def _design(points: Labels) -> Float[np.ndarray, "cell 3"]:
    """Columns 1, log ε/ε_0, log(1 − i/T): log Ψ is linear in the constants."""
    ones = np.ones_like(points.progress)
    return np.stack([ones, np.log(points.loss_ratio), np.log1p(-points.progress)], axis=1)


def _intervals(
    points: Labels, best: tuple[float, ...], resamples: int, seed: int
) -> tuple[Fitted, ...]:
    """From fits to bootstrap resamples of whole tasks: rows of one task are not independent."""
    rng = np.random.default_rng(seed)
    names = np.unique(points.task)
    rows = [np.flatnonzero(points.task == name) for name in names]
    picks = rng.integers(0, len(names), (resamples, len(names)))
    spread = np.stack([minimise(points.take(np.concatenate([rows[k] for k in p]))) for p in picks])
    spread[:, 0] = np.exp(spread[:, 0])
    low, high = np.quantile(spread, [0.025, 0.975], axis=0)
    ends = zip(NAMES, best, low, high, strict=True)
    return tuple(Fitted(name, value, float(lo), float(hi)) for name, value, lo, hi in ends)
