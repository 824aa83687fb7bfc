"""A closed form fitted to the regret in the cells, whatever its structure.

    min over constants of  (1/n) Σ_k lost_k(log Ψ(x_k)),

from where least squares in log α have ended; why not those alone is in `psi.fit.cells`. The
objective is piecewise linear in log Ψ and constants are few: a simplex (Nelder & Mead 1965) needs
no gradient. Intervals are over tasks, from resamples of whole tasks: cells of one are not
independent of each other.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize

from psi.fit.cells import Labels, domain, lost_at, rates
from psi.fit.formula.families import by_name, values
from psi.fit.formula.formula import Form
from psi.fit.formula.refit import refit
from psi.fit.search.candidates import Kind
from psi.law.expression import evaluate
from psi.law.law import FittedConstant, Law
from psi.progress import Report, silent

MANY = 5000  # cells of a resample: beyond them the tasks are what there are too few of
STEP = 0.1  # of the first simplex: nats of a positive constant, else relative
TINY = 1e-3
FINE, COARSE = 1e-5, 1e-3
LARGE = 1e299  # of a constant that resamples do not hold: what a file may say
FAR = 20.0  # nats below the lowest candidate, where what is no positive number counts as a rate

Vector = Float[np.ndarray, " constant"]


def mean_lost(kind: Kind, names: Sequence[str], cells: Labels) -> Callable[[Vector], float]:
    """The mean regret over cells as a function of the constants as they are searched, nats."""
    seen = [*cells.values(names)]
    every = (*names, *_names(kind))

    def objective(found: Vector) -> float:
        own = values(kind.constants, found, np)
        with np.errstate(all="ignore"):
            log_rate = np.log(evaluate(kind.tree, every, [*seen, *own], np))
        log_rate = np.where(np.isfinite(log_rate), log_rate, cells.tried[:, 0] - FAR)
        return float(lost_at(cells.tried, cells.lost, log_rate, np).mean())

    return objective


def least_squares(kind: Kind, names: Sequence[str], cells: Labels) -> Kind:
    """The kind fitted to the cells' ideal rates, from its start; where that fails, the kind itself.

    Raises ValueError where fewer cells count than there are constants, or a feature is the same in
    all of them.
    """
    start = by_name(kind.constants, kind.start)
    fitted = refit(Form(kind.tree, start), cells.points(names))
    with np.errstate(all="ignore"):
        found = np.array(
            [
                fitted.start[free.name]
                if free.unit == "exponent"
                else np.log(fitted.start[free.name])
                for free in kind.constants
            ]
        )
    return kind._replace(start=found) if np.isfinite(found).all() else kind


def minimise(kind: Kind, names: Sequence[str], cells: Labels, tolerance: float = FINE) -> Kind:
    """The kind at constants of the least mean regret, searched from its start.

    `tolerance`: of constants, in steps of the first simplex.
    """
    if not len(kind.start):
        return kind
    positive = np.array([free.unit != "exponent" for free in kind.constants])
    step = np.where(positive, STEP, STEP * np.abs(kind.start) + TINY)
    objective = mean_lost(kind, names, cells)
    count = len(step)
    options = {
        "initial_simplex": np.concatenate([np.zeros((1, count)), np.eye(count)]),
        "xatol": tolerance,
        "fatol": tolerance / 1000,
        "maxiter": 300 * count,
    }
    found = minimize(
        lambda steps: objective(kind.start + step * steps),
        np.zeros(count),
        method="Nelder-Mead",
        options=options,
    )
    return kind._replace(start=kind.start + step * found.x)


def intervals(
    kind: Kind,
    names: Sequence[str],
    cells: Labels,
    resamples: int,
    seed: int = 0,
    report: Report = silent,
) -> tuple[FittedConstant, ...]:
    """The constants of a kind with 95 % bootstrap intervals; each resample is fitted as the kind.

    From least squares again, as a search that starts at a kink of the objective may stay there.
    None where there is one task alone: nothing is known of others then.
    """
    if len(np.unique(cells.task)) < 2:
        return ()
    spread = []
    for drawn in _resamples(cells, resamples, np.random.default_rng(seed)):
        part = cells.take(drawn)
        with contextlib.suppress(ValueError):  # a resample of too little
            again = minimise(least_squares(kind, names, part), names, part, COARSE)
            spread.append(_constants(kind, again.start))
        report(len(spread), resamples, "")
    best = _constants(kind, kind.start)
    low, high = np.quantile(np.clip([*spread, best], -LARGE, LARGE), [0.025, 0.975], axis=0)
    # Of very few tasks the resamples may all lie on one side.
    rows = zip(_names(kind), best, np.minimum(low, best), np.maximum(high, best), strict=True)
    return tuple(FittedConstant(name, float(v), float(lo), float(hi)) for name, v, lo, hi in rows)


def closed_form(kind: Kind, names: Sequence[str], cells: Labels, optimizer: str) -> Law:
    """The kind as a law, without intervals."""
    return Law(
        model=kind.formula(kind.start),
        features=tuple(names),
        domain=domain(cells, names),
        rates=rates(cells),
        optimizer=optimizer,
        initial_loss=float(np.median(cells.initial_loss)),
    )


def _names(kind: Kind) -> tuple[str, ...]:
    return tuple(free.name for free in kind.constants)


def _constants(kind: Kind, found: Vector) -> Vector:
    return np.array(values(kind.constants, found, np), float)


def _resamples(
    cells: Labels, count: int, rng: np.random.Generator
) -> Iterator[Int[np.ndarray, " drawn"]]:
    """Positions of the cells of whole tasks, drawn with replacement."""
    number = np.unique(cells.task, return_inverse=True)[1]
    rows = [np.flatnonzero(number == k) for k in range(number.max() + 1)]
    for _ in range(count):
        drawn = np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))])
        yield drawn if len(drawn) <= MANY else rng.choice(drawn, MANY)
