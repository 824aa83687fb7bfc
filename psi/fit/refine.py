"""A closed form fitted to the regret in the cells, whatever its structure.

    min over constants of  (1/n) Σ_k lost_k(log Ψ(x_k)),

from where least squares in log α have ended; `psi.fit.cells` says why those alone do not do. The
objective is piecewise linear in log Ψ and constants are few: a simplex (Nelder & Mead 1965) needs
no gradient. Intervals are over tasks, from resamples of whole tasks: the cells of one task are not
independent of each other.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Int
from scipy.optimize import minimize

from psi.fit.cells import Cells, lost_at
from psi.fit.formula.formula import Candidate, Formula, Vector
from psi.fit.formula.refit import refit
from psi.ideal.resampling import bootstrap, numbered, percentiles
from psi.law.law import FittedConstant
from psi.progress import Report, silent

MANY = 5000  # cells of a resample: beyond them the tasks are what there are too few of
STEP = 0.1  # of the first simplex: nats of a positive constant, else relative
TINY = 1e-3
FINE, COARSE = 1e-5, 1e-3
LARGE = 1e299  # of a constant that resamples do not hold: what a file may say
FAR = 20.0  # nats below the lowest candidate, where what is no positive number counts as a rate


def mean_lost(formula: Formula, names: Sequence[str], cells: Cells) -> Callable[[Vector], float]:
    """The mean regret over cells as a function of the constants as they are searched, nats."""
    values = [*cells.values(names)]

    def objective(searched: Vector) -> float:
        with np.errstate(all="ignore"):
            log_rate = np.log(formula.value(names, values, searched, np))
        log_rate = np.where(np.isfinite(log_rate), log_rate, cells.tried[:, 0] - FAR)
        return float(lost_at(cells.tried, cells.lost, log_rate, np).mean())

    return objective


def least_squares(formula: Formula, start: Vector, names: Sequence[str], cells: Cells) -> Vector:
    """The constants fitted to the cells' ideal rates, from a start; the start where that fails.

    Raises ValueError where fewer cells count than there are constants, or a feature is the same in
    all of them.
    """
    fitted = refit(Candidate(formula, start), cells.points(names)).fitted
    return fitted if np.isfinite(fitted).all() else start


def minimise(
    formula: Formula, start: Vector, names: Sequence[str], cells: Cells, tolerance: float = FINE
) -> Vector:
    """The constants of the least mean regret, searched from a start.

    `tolerance`: of constants, in steps of the first simplex.
    """
    if not len(start):
        return start
    positive = np.array([parameter.positive for parameter in formula.parameters])
    step = np.where(positive, STEP, STEP * np.abs(start) + TINY)
    objective = mean_lost(formula, names, cells)
    count = len(step)
    options = {
        "initial_simplex": np.concatenate([np.zeros((1, count)), np.eye(count)]),
        "xatol": tolerance,
        "fatol": tolerance / 1000,
        "maxiter": 300 * count,
    }
    found = minimize(
        lambda steps: objective(start + step * steps),
        np.zeros(count),
        method="Nelder-Mead",
        options=options,
    )
    return start + step * found.x


def intervals(
    formula: Formula,
    fitted: Vector,
    names: Sequence[str],
    cells: Cells,
    resamples: int,
    seed: int = 0,
    report: Report = silent,
) -> tuple[FittedConstant, ...]:
    """The fitted constants with 95 % bootstrap intervals; each resample is fitted as they were.

    From least squares again, as a search that starts at a kink of the objective may stay there.
    Empty where there is one task alone: nothing is known of others then.
    """
    if len(np.unique(cells.task)) < 2:
        return ()
    resampled = []
    for drawn in _resamples(cells, resamples, np.random.default_rng(seed)):
        part = cells.take(drawn)
        with contextlib.suppress(ValueError):  # a resample of too little
            start = least_squares(formula, fitted, names, part)
            again = minimise(formula, start, names, part, COARSE)
            resampled.append(formula.constants(again))
        report(len(resampled), resamples, "")
    best = np.array(formula.constants(fitted), float)
    low, high = percentiles(np.clip([*resampled, best], -LARGE, LARGE))
    # Of very few tasks the resamples may all lie on one side.
    rows = zip(formula.names, best, np.minimum(low, best), np.maximum(high, best), strict=True)
    return tuple(FittedConstant(name, float(v), float(lo), float(hi)) for name, v, lo, hi in rows)


def _resamples(
    cells: Cells, count: int, rng: np.random.Generator
) -> Iterator[Int[np.ndarray, " drawn"]]:
    """Positions of the cells of whole tasks, drawn with replacement."""
    number = numbered(cells.task)
    rows = [np.flatnonzero(number == k) for k in range(number.max() + 1)]
    for _ in range(count):
        (tasks,) = bootstrap(len(rows), 1, rng)
        drawn = np.concatenate([rows[k] for k in tasks])
        yield drawn if len(drawn) <= MANY else rng.choice(drawn, MANY)
