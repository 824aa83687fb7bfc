"""A closed form from cells: its structure by their ideal rates, its constants by the regret.

Which structure is taken is decided by how it *schedules*, where whole trainings can be played: of
the best curve of each length, or of a symbolic search's front, the shortest whose mean regret over
the training tasks is within 0.02 nats of the least. An ideal rate says what is best for one epoch
of one state, and what a law loses is not the sum of what its epochs do. Where nothing is played,
the rules are those of `simplest` and `choose`.

A curve is refined in the cells always; of a formula of a symbolic search the version that schedules
better is taken, or where nothing is played the refined one, unless that is worse on domains left
out. What is left out is scored against the same structure with constants of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from psi.fit.cells import Labels, domain, left_out_scores
from psi.fit.config import FitConfig
from psi.fit.decompose import apart_scores
from psi.fit.formula.curves import Curve, best_by_length, fit_curves, simplest
from psi.fit.refine import closed_form, intervals, least_squares, minimise
from psi.fit.search.candidates import Kind, of_curve, of_row
from psi.fit.symbolic.front import Front, choose, scored, shortest
from psi.fit.symbolic.limits import refusal
from psi.fit.symbolic.search import LEAST, search
from psi.law.law import Law, Range, Score
from psi.progress import Bar, no_bar

OFFERED = 5
"""Families that a symbolic search is given, the best ones."""

Play = Callable[[Sequence[Kind], tuple[Range, ...]], Float[np.ndarray, " kind"]]
"""(kinds, domain that their features are clipped to) → mean regret of each as a schedule, nats."""
REGRET = "regret as a scheduler on training tasks"


class Fitted(NamedTuple):
    """A law and what else a fit has found."""

    law: Law
    kind: Kind | None = None
    """Of a closed form, structure and constants as a search takes them."""
    front: Front | None = None
    """All formulas of a symbolic search."""


def least(config: FitConfig) -> int:
    """Cells that the fit of a closed form needs: one a constant, or what a search asks for."""
    most = max(len(family.constants) for family in config.table())
    return max(most, LEAST) if config.kind == "symbolic" else most


class Choice(NamedTuple):
    """A structure with its constants."""

    kind: Kind
    refined: bool
    """Whether the cells have moved its constants from where ideal rates had put them."""
    left_out: tuple[Score, ...]
    """Regret on each domain, of constants fitted to the others."""
    regret: float | None = None
    """As a schedule, where it was played."""
    front: Front | None = None


def fit_closed(
    cells: Labels, config: FitConfig, optimizer: str, bar: Bar = no_bar, play: Play | None = None
) -> Fitted:
    """The curve or formula, with intervals, regret on domains left out, and error in two parts.

    Of one task alone the law has no intervals.
    """
    names = config.names
    make = _formula if config.kind == "symbolic" else _curve
    chosen = make(cells, config, bar, play)
    front = chosen.front
    if front and not chosen.refined:
        constants = front.chosen.constants if front.unit == "task" else ()
    else:
        with bar("intervals") as update:
            constants = intervals(chosen.kind, names, cells, config.resamples, config.seed, update)
    law = closed_form(chosen.kind, names, cells, optimizer)
    played = () if chosen.regret is None else (Score(REGRET, chosen.regret),)
    scores = (*chosen.left_out, *apart_scores(law, cells), *played)
    return Fitted(replace(law, constants=constants, scores=scores), chosen.kind, front)


def _curve(cells: Labels, config: FitConfig, bar: Bar, play: Play | None) -> Choice:
    curves, names = _curves(cells, config, bar), config.names
    kept = best_by_length(curves) if play else [simplest(curves)]
    starts = [of_curve(curve) for curve in kept]
    refined = [minimise(start, names, cells) for start in starts]
    regrets = play(refined, domain(cells, names)) if play else None
    number = 0 if regrets is None else shortest(regrets)
    left_out = _left_out(starts[number], True, cells, config, bar)
    regret = None if regrets is None else float(regrets[number])
    return Choice(refined[number], True, left_out, regret)


def _formula(cells: Labels, config: FitConfig, bar: Bar, play: Play | None) -> Choice:
    front = _front(cells, config, bar)
    if not play:
        return _formula_by_rule(front, cells, config, bar)
    starts = [of_row(row) for row in front.rows]
    refined = [_refined(start, cells, config.names) or start for start in starts]
    both = play([*starts, *refined], domain(cells, config.names)).reshape(2, -1)
    front = scored(front, both[0], both[1])
    number = choose(front.rows)
    better = bool(both[1, number] < both[0, number])
    kind = (refined if better else starts)[number]
    left_out = _left_out(starts[number], better, cells, config, bar)
    return Choice(kind, better, left_out, float(both[:, number].min()), front)


def _formula_by_rule(front: Front, cells: Labels, config: FitConfig, bar: Bar) -> Choice:
    start = of_row(front.chosen)
    kind = _refined(start, cells, config.names)
    without = _left_out(start, False, cells, config, bar)
    if kind is not None:
        left_out = _left_out(start, True, cells, config, bar)
        if _mean(left_out) <= _mean(without):
            return Choice(kind, True, left_out, front=front)
    return Choice(start, False, without, front=front)


def _refined(start: Kind, cells: Labels, names: tuple[str, ...]) -> Kind | None:
    """The kind refined in the cells; None where that is no rate everywhere."""
    kind = minimise(start, names, cells)
    return None if refusal(kind.formula(kind.start), cells.points(names)) else kind


def _curves(cells: Labels, config: FitConfig, bar: Bar) -> list[Curve]:
    table = config.table()
    with bar("fitting curves") as update:
        return fit_curves(table, cells.points(config.names), config.seed, update)


def _front(cells: Labels, config: FitConfig, bar: Bar) -> Front:
    offered = [curve.family.tree for curve in _curves(cells, config, bar)[:OFFERED]]
    with bar("searching formulas") as update:
        front = search(cells.points(config.names), config.symbolic(), offered, update)
    return front


def _left_out(
    start: Kind, refine: bool, cells: Labels, config: FitConfig, bar: Bar
) -> tuple[Score, ...]:
    """Regret on each domain of the structure with constants fitted to the others, refined or not.

    Optimizers make no difference to it.
    """

    def fit(part: Labels) -> Law:
        kind = least_squares(start, config.names, part)
        kind = minimise(kind, config.names, part) if refine else kind
        return closed_form(kind, config.names, part, "sgd")

    with bar("leaving domains out") as update:
        return left_out_scores(fit, cells, update)


def _mean(scores: tuple[Score, ...]) -> float:
    """Of their values; 0 where nothing could be left out."""
    return float(np.mean([score.value for score in scores] or [0.0]))
