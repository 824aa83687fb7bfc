"""A closed form from cells: its structure by their ideal rates, its constants by the regret.

A curve is refined in the cells always, a formula of a symbolic search unless that makes it worse on
domains left out. What is left out is scored against the same structure with constants of its own.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from psi.fit.apart import apart_scores
from psi.fit.cells import closed_form, intervals, least_squares, minimise
from psi.fit.config import FitConfig
from psi.fit.curves import Curve, fit_curves, simplest
from psi.fit.kinds import Kind, of_curve, of_row
from psi.fit.labels import Labels, left_out_scores
from psi.fit.symbolic.front import Front
from psi.fit.symbolic.limits import refusal
from psi.fit.symbolic.search import LEAST, STEPS, search
from psi.law.law import Law, Score

OFFERED = 5
"""Families that a symbolic search is given, the best ones."""

Bar = Callable[[str, int], AbstractContextManager[Callable[[int, str], None]]]
"""(what, total) → a context that yields update(done, note), as psi.report.progress.bar."""


class Fitted(NamedTuple):
    """A law and what else a fit has found."""

    law: Law
    kind: Kind | None = None
    """Of a closed form, structure and constants as a search takes them."""
    front: Front | None = None
    """All formulas of a symbolic search."""


@contextlib.contextmanager
def silent(what: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """A Bar that shows nothing."""
    del what, total
    yield lambda *_: None


def least(config: FitConfig) -> int:
    """Cells that the fit of a closed form needs: one a constant, or what a search asks for."""
    most = max(len(family.constants) for family in config.table())
    return max(most, LEAST) if config.kind == "symbolic" else most


def fit_closed(cells: Labels, config: FitConfig, optimizer: str, bar: Bar = silent) -> Fitted:
    """The curve or formula, with intervals, regret on domains left out, and error in two parts.

    Of one task alone the law has no intervals.
    """
    names, front = config.names, None
    if config.kind == "symbolic":
        front = _front(cells, config, bar)
    start = of_row(front.chosen) if front else of_curve(simplest(_curves(cells, config, bar)))
    kind, scores = minimise(start, names, cells), _left_out(start, True, cells, config, bar)
    unrefined = _left_out(start, False, cells, config, bar) if front else ()
    if front and (
        refusal(kind.formula(kind.start), cells.points(names)) or _mean(scores) > _mean(unrefined)
    ):
        kind, scores = start, unrefined
        constants = front.chosen.constants if front.unit == "task" else ()
    else:
        with bar("intervals", config.resamples) as update:
            constants = intervals(kind, names, cells, config.resamples, config.seed, update)
    law = closed_form(kind, names, cells, optimizer)
    law = replace(law, constants=constants, scores=(*scores, *apart_scores(law, cells)))
    return Fitted(law, kind, front)


def _curves(cells: Labels, config: FitConfig, bar: Bar) -> list[Curve]:
    table = config.table()
    with bar("fitting curves", len(table)) as update:
        return fit_curves(table, cells.points(config.names), config.seed, update)


def _front(cells: Labels, config: FitConfig, bar: Bar) -> Front:
    offered = [curve.family.tree for curve in _curves(cells, config, bar)[:OFFERED]]
    with bar("searching formulas", len(STEPS)) as update:
        front = search(cells.points(config.names), config.symbolic(), offered, update)
        update(len(STEPS), "")
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

    with bar("leaving domains out", len(np.unique(cells.domain))) as update:
        return left_out_scores(fit, cells, update)


def _mean(scores: tuple[Score, ...]) -> float:
    """Of their values; 0 where nothing could be left out."""
    return float(np.mean([score.value for score in scores] or [0.0]))
