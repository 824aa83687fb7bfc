"""Constants fitted to the cells: least squares, then the least regret, and their intervals."""

import numpy as np
import pytest

from psi.fit.cells import law_of, regret
from psi.fit.formula.families import RELATIVE
from psi.fit.formula.formula import Formula, Parameter
from psi.fit.refine import intervals, least_squares, mean_lost, minimise
from psi.law.parsing import parse
from tests.fit.planted import FORMULA, START, A, B, C, planted, shifted


def solve(points):
    """(log a, p, q) of least squares."""
    return least_squares(FORMULA, START, RELATIVE, points)


def test_least_squares_are_exact_without_noise():
    np.testing.assert_allclose(solve(planted(noise=0.0)), [np.log(A), B, C], atol=1e-6)


def test_the_fit_keeps_away_from_a_cliff():
    """Above its ideal rate each cell falls off a cliff: the law stays below most of them, where
    least squares would pass through the middle."""
    points = planted(noise=0.5)
    over = points.tried > points.log_rate[:, None]
    points = points._replace(lost=points.lost + 20.0 * over)
    middle = least_squares(FORMULA, START, RELATIVE, points)
    careful = minimise(FORMULA, middle, RELATIVE, points)
    lost = mean_lost(FORMULA, RELATIVE, points)
    assert careful[0] < middle[0] - 0.3
    assert lost(careful) < 0.5 * lost(middle)


def test_the_search_in_the_cells_finds_the_least_of_a_grid():
    """A constant rate: the mean of piecewise linear functions is least at one of their points."""
    points = planted(noise=0.3)
    flat = Formula(parse("a"), (Parameter("a", True, "rate"),))
    lost = mean_lost(flat, RELATIVE, points)
    best = min(lost(np.array([x])) for x in np.unique(points.tried))
    assert lost(minimise(flat, np.array([0.5]), RELATIVE, points)) == pytest.approx(best, abs=1e-3)


def test_constants_of_any_sign_and_size_are_searched():
    """A formula of a symbolic search, its constants as they stand in the tree."""
    points = planted(noise=0.0)
    free = tuple(map(Parameter, ("k", "m", "n")))
    formula, start = (
        Formula(parse("k*(loss*m)^n*(1 - progress)^0.7"), free),
        np.array([50, 4e-3, 1]),
    )
    found = minimise(formula, start, ("loss", "progress"), points)
    law = law_of(formula.bound(found), ("loss", "progress"), points, "sgd")
    assert regret(law, points) < 0.09
    assert minimise(Formula(parse("1")), np.zeros(0), RELATIVE, points).size == 0


def test_a_rate_that_is_none_is_led_back():
    """a − ε/ε_0 is no rate where ε/ε_0 > a, which is in some cells at the start."""
    formula, start = Formula(parse("a - loss_ratio"), (Parameter("a"),)), np.array([0.5])
    points = planted()
    lost = mean_lost(formula, RELATIVE, points)
    found = minimise(formula, start, RELATIVE, points)
    assert lost(start) > 5
    assert found[0] > points.values(RELATIVE)[0].max()
    assert lost(found) < 2


def test_the_fit_is_robust_to_wild_labels():
    points = planted()
    wild = points.log_rate.copy()
    wild[::20] += 6
    np.testing.assert_allclose(solve(points._replace(log_rate=wild)), [np.log(A), B, C], atol=0.1)


def test_weights_count():
    points = planted()
    off = points.domain == "two"
    moved = points._replace(log_rate=points.log_rate + 2.0 * off, weight=np.where(off, 0, 1.0))
    np.testing.assert_allclose(solve(moved), [np.log(A), B, C], atol=0.04)


def test_intervals_are_over_tasks():
    """Tasks apart by 0.5 nats: log a is known to 0.5/√8 = 0.18 from 8 tasks; as if every cell were
    a task of its own it would be to 0.5/√400 = 0.03."""
    points = planted()
    effect = 0.5 * np.random.default_rng(1).normal(size=8)
    points = shifted(points, effect[[int(name[1:]) for name in points.task]])
    start = least_squares(FORMULA, START, RELATIVE, points)
    fitted = minimise(FORMULA, start, RELATIVE, points)
    alone = points._replace(task=np.arange(400).astype(str).astype(object))
    wide, narrow = (
        np.log(each.high / each.low)
        for each in (intervals(FORMULA, fitted, RELATIVE, p, 60)[0] for p in (points, alone))
    )
    assert wide / (2 * 1.96) == pytest.approx(0.18, rel=0.5)
    assert narrow < 0.4 * wide
    one = points._replace(task=np.full(400, "t", object))
    assert intervals(FORMULA, fitted, RELATIVE, one, 60) == ()


def test_least_squares_that_fail_leave_the_start():
    """a − ε/ε_0 is negative in most cells from a = 0.5, and no descent leads out of that."""
    formula = Formula(parse("log(loss_ratio)*a"), (Parameter("a", True),))
    start = np.array([0.5])
    assert least_squares(formula, start, RELATIVE, planted()) is start
