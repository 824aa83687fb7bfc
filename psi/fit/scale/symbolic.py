"""The same facts through symbolic regression: forms that nobody thought of.

Genetic searches propose formulas for log α from the best rates (pyoperon, `psi.fit.symbolic`). They
are simplified and fitted to these rates by robust least squares, and the constants of the best are
fitted again to the regret. Of these the one is taken with the least regret on a third of the
domains that its constants did not see, plus PRICE for each constant.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.optimize import minimize

from psi.fit.formula.formula import Candidate, Formula, Vector
from psi.fit.formula.points import Points, points
from psi.fit.formula.refit import refit
from psi.fit.scale.facts import FactSet
from psi.fit.scale.left_out import Predictor
from psi.fit.scale.linear import task_weights
from psi.fit.scale.regret import regret_at
from psi.fit.scale.tuned import TunedTasks
from psi.fit.symbolic.config import RATIONAL, SymbolicConfig, View
from psi.fit.symbolic.proposals import proposals
from psi.fit.symbolic.simplify import canonical
from psi.ideal.resampling import folds, numbered

CONFIG = SymbolicConfig(
    runs=4, views=(View("log", ("add", "sub", "mul")), View("log", (*RATIONAL, "exp", "log"))),
    generations=30, length=25,
)  # fmt: skip
FORMS = 6  # whose constants are fitted to the regret
PRICE = 2e-3  # nats for a constant
FAR = 20.0  # nats below the first knot, where what is no positive number counts as a rate


class SymbolicFit(NamedTuple):
    """A formula of facts with fitted constants."""

    formula: Formula
    names: tuple[str, ...]
    fitted: Vector

    def log_rates(self, facts: pd.DataFrame) -> Float[np.ndarray, " task"]:
        """The log of the rate for each row of facts; −∞ where the formula gives none."""
        return self.at(facts[list(self.names)].to_numpy(float).T, self.fitted)

    def at(self, values: Float[np.ndarray, "fact task"], constants: Vector) -> np.ndarray:
        """The same of bare numbers, under other constants."""
        with np.errstate(all="ignore"):
            rate = self.formula.value(self.names, [*values], constants, np)
            log_rate = np.log(np.broadcast_to(rate, values.shape[1:]))
        return np.where(np.isfinite(log_rate), log_rate, -np.inf)


def fit_symbolic(
    tasks: TunedTasks, facts: FactSet, schedule: str = "linear", config: SymbolicConfig = CONFIG
) -> SymbolicFit:
    """The formula of least regret on domains that its constants did not see.

    Raises ValueError where no proposed formula is a rate on all tasks.
    """
    names = tuple(n for n in facts.facts if tasks.facts[n].nunique() > 1)
    weight, values = task_weights(tasks.domain), tasks.facts[list(names)].to_numpy(float).T
    rates = np.exp(tasks.best[schedule].log_rate)
    table = points(names, values, rates, weight / weight.mean(), tasks.domain)
    fits = [fit for each in _proposed(table, config) if not (fit := refit(each, table)).failure]
    if not fits:
        raise ValueError(f"no formula of {', '.join(names)} is a rate on all {len(weight)} tasks")
    fits.sort(key=lambda fit: fit.error + PRICE * len(fit.fitted))
    number = numbered(tasks.domain)
    held = folds(int(number.max()) + 1, 3, np.random.default_rng(config.seed))[number] == 0
    judged = []
    for fit in fits[:FORMS]:
        start = SymbolicFit(fit.formula, names, fit.fitted)
        part = _refined(start, tasks.take(~held), schedule)
        lost = _loss(part, tasks.take(held), schedule)(part.fitted)
        judged.append(lost + PRICE * len(fit.fitted))
    best = fits[int(np.argmin(judged))]
    return _refined(SymbolicFit(best.formula, names, best.fitted), tasks, schedule)


def _proposed(table: Points, config: SymbolicConfig) -> list[Candidate]:
    """Proposed formulas, simplified, each structure once."""
    every: dict[str, Candidate] = {}
    for each in proposals(table, config):
        with suppress(ArithmeticError):  # a constant that overflows
            every.setdefault(*canonical(each, table.names))
    return [each for each in every.values() if len(each.start) < len(table.weight)]


def symbolic(
    facts: FactSet, schedule: str = "linear", config: SymbolicConfig = CONFIG
) -> Predictor:
    """`fit_symbolic`, to be left out like any other."""
    return lambda tasks: fit_symbolic(tasks, facts, schedule, config).log_rates


def _loss(fit: SymbolicFit, tasks: TunedTasks, schedule: str) -> Callable[[Vector], float]:
    """The mean regret on tasks as a function of the constants."""
    curve, weight = tasks.curves[schedule], task_weights(tasks.domain)
    values, lowest = tasks.facts[list(fit.names)].to_numpy(float).T, curve.knots[0] - FAR

    def lost(constants: Vector) -> float:
        return float(weight @ regret_at(curve, np.maximum(fit.at(values, constants), lowest)))

    return lost


def _refined(fit: SymbolicFit, tasks: TunedTasks, schedule: str) -> SymbolicFit:
    """Its constants where the mean regret is least (Nelder & Mead 1965)."""
    if not len(fit.fitted):
        return fit
    found = minimize(
        _loss(fit, tasks, schedule),
        fit.fitted,
        method="Nelder-Mead",
        options={"maxiter": 150 * len(fit.fitted), "xatol": 1e-3, "fatol": 1e-5},
    )
    return fit._replace(fitted=found.x)
