"""A closed form from cells: its structure by their ideal rates, its constants by the regret.

Structures are compared by how they *schedule*, where whole trainings are possible: of the best
curve of each length, or of the front of a symbolic regression, the shortest one is chosen whose
mean regret over the training tasks is within 0.02 nats of the least. An ideal rate says what is
best in one epoch of one state, and what a law loses is not the sum of what its epochs lose. Without
trainings the rules of `simplest` and `choose` decide.

The constants of a curve are always refined in the cells. For a formula of a symbolic regression the
version that schedules better is taken; without trainings the refined one, unless it is worse on
domains left out. Scores on domains left out are those of the same structure with constants fitted
to the other domains.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from psi.fit.cells import Cells, domain, law_of, left_out_scores
from psi.fit.config import FitConfig
from psi.fit.decompose import error_scores
from psi.fit.formula.curves import Curve, best_by_length, fit_curves, simplest
from psi.fit.formula.formula import Candidate, Formula, Vector
from psi.fit.refine import intervals, least_squares, minimise
from psi.fit.symbolic.front import Front, choose, scored, shortest
from psi.fit.symbolic.limits import refusal
from psi.fit.symbolic.regression import LEAST, symbolic_regression
from psi.law.law import Law, Range, Score
from psi.progress import Bar, no_bar

OFFERED = 5
"""Families that a symbolic regression is given, the best ones."""

Play = Callable[
    [Sequence[Formula], Sequence[np.ndarray], tuple[Range, ...]], Float[np.ndarray, "task formula"]
]
"""(formulas, their constants as they are searched, domain that their features are clipped to) →
regret of each as a schedule on each training task, nats."""
REGRET = "regret as a scheduler on training tasks"


class Fitted(NamedTuple):
    """A law and what else a fit has found."""

    law: Law
    candidate: Candidate | None = None
    """A closed form, to be searched further from its fitted constants."""
    front: Front | None = None
    """All formulas of a symbolic regression."""


class Chosen(NamedTuple):
    """The formula that a fit has chosen, its constants, and how it scored."""

    formula: Formula
    fitted: Vector
    refined: bool
    """Whether the cells have moved its constants from where ideal rates had put them."""
    left_out: tuple[Score, ...]
    """Regret on each domain, of constants fitted to the others."""
    regret: float | None = None
    """As a schedule, where that was tried."""
    front: Front | None = None


def least(config: FitConfig) -> int:
    """Cells that a fit needs: one for each constant, or what a symbolic regression asks for."""
    most = max(len(family.formula.parameters) for family in config.table())
    return max(most, LEAST) if config.kind == "symbolic" else most


def fit_closed(
    cells: Cells, config: FitConfig, optimizer: str, bar: Bar = no_bar, play: Play | None = None
) -> Fitted:
    """The curve or formula, with intervals, regret on domains left out, and error in two parts.

    Fitted to one task alone, the law has no intervals.
    """
    names = config.names
    choice = _formula if config.kind == "symbolic" else _curve
    chosen = choice(cells, config, bar, play)
    formula, fitted, front = chosen.formula, chosen.fitted, chosen.front
    if front and not chosen.refined:
        constants = front.chosen.constants if front.unit == "task" else ()
    else:
        with bar("intervals") as update:
            resamples, seed = config.resamples, config.seed
            constants = intervals(formula, fitted, names, cells, resamples, seed, update)
    law = law_of(formula.bound(fitted), names, cells, optimizer)
    played = () if chosen.regret is None else (Score(REGRET, chosen.regret),)
    scores = (*chosen.left_out, *error_scores(law, cells), *played)
    law = replace(law, constants=constants, scores=scores)
    return Fitted(law, Candidate(formula, fitted), front)


def _curve(cells: Cells, config: FitConfig, bar: Bar, play: Play | None) -> Chosen:
    curves, names = _curves(cells, config, bar), config.names
    kept = best_by_length(curves) if play else [simplest(curves)]
    formulas = [curve.family.formula for curve in kept]
    refined = [minimise(c.family.formula, c.fitted, names, cells) for c in kept]
    regrets = play(formulas, refined, domain(cells, names)).mean(0) if play else None
    k = 0 if regrets is None else shortest(regrets)
    left_out = _left_out(formulas[k], kept[k].fitted, True, cells, config, bar)
    regret = None if regrets is None else float(regrets[k])
    return Chosen(formulas[k], refined[k], True, left_out, regret)


def _formula(cells: Cells, config: FitConfig, bar: Bar, play: Play | None) -> Chosen:
    front = _front(cells, config, bar)
    if not play:
        return _formula_by_rule(front, cells, config, bar)
    rows, names = front.rows, config.names
    formulas, fitted = [row.formula for row in rows], [row.fitted for row in rows]
    moved = [_refined(row.formula, row.fitted, cells, names) for row in rows]
    refined = [row.fitted if m is None else m for row, m in zip(rows, moved, strict=True)]
    both = play([*formulas, *formulas], [*fitted, *refined], domain(cells, names))
    regrets = both.mean(0).reshape(2, -1)
    front = scored(front, regrets[0], regrets[1])
    k = choose(front.rows)
    better = bool(regrets[1, k] < regrets[0, k])
    left_out = _left_out(formulas[k], fitted[k], better, cells, config, bar)
    constants = (refined if better else fitted)[k]
    return Chosen(formulas[k], constants, better, left_out, float(regrets[:, k].min()), front)


def _formula_by_rule(front: Front, cells: Cells, config: FitConfig, bar: Bar) -> Chosen:
    formula, fitted = front.chosen.formula, front.chosen.fitted
    refined = _refined(formula, fitted, cells, config.names)
    without = _left_out(formula, fitted, False, cells, config, bar)
    if refined is not None:
        left_out = _left_out(formula, fitted, True, cells, config, bar)
        if _mean(left_out) <= _mean(without):
            return Chosen(formula, refined, True, left_out, front=front)
    return Chosen(formula, fitted, False, without, front=front)


def _refined(
    formula: Formula, fitted: Vector, cells: Cells, names: tuple[str, ...]
) -> Vector | None:
    """The constants refined in the cells; None where that is no learning rate everywhere."""
    refined = minimise(formula, fitted, names, cells)
    return None if refusal(formula.bound(refined), cells.points(names)) else refined


def _curves(cells: Cells, config: FitConfig, bar: Bar) -> list[Curve]:
    table = config.table()
    with bar("fitting curves") as update:
        return fit_curves(table, cells.points(config.names), config.seed, update)


def _front(cells: Cells, config: FitConfig, bar: Bar) -> Front:
    offered = [curve.family.formula.tree for curve in _curves(cells, config, bar)[:OFFERED]]
    with bar("searching formulas") as update:
        points = cells.points(config.names)
        return symbolic_regression(points, config.symbolic(), offered, update)


def _left_out(
    formula: Formula, start: Vector, refine: bool, cells: Cells, config: FitConfig, bar: Bar
) -> tuple[Score, ...]:
    """Regret on each domain of the structure with constants fitted to the others, refined or not.

    The result does not depend on the optimizer.
    """
    names = config.names

    def fit(part: Cells) -> Law:
        fitted = least_squares(formula, start, names, part)
        fitted = minimise(formula, fitted, names, part) if refine else fitted
        return law_of(formula.bound(fitted), names, part, "sgd")

    with bar("leaving domains out") as update:
        return left_out_scores(fit, cells, update)


def _mean(scores: tuple[Score, ...]) -> float:
    """The mean of their values; 0 where nothing could be left out."""
    return float(np.mean([score.value for score in scores] or [0.0]))
