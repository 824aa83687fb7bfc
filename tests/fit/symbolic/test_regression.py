"""Symbolic regression finds what was planted, and says of each formula what it is worth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from psi.fit.formula.families import RELATIVE, family
from psi.fit.formula.points import points
from psi.fit.symbolic.config import SymbolicConfig
from psi.fit.symbolic.front import scored, table
from psi.fit.symbolic.limits import refusal
from psi.fit.symbolic.regression import STEPS, symbolic_regression
from psi.law.expression import evaluate, nodes
from psi.law.parsing import parse
from psi.law.printing import text
from tests.fit.symbolic.planted import QUICK, relative

GIVEN = SymbolicConfig(runs=0, resamples=20)


@pytest.fixture(scope="module")
def found():
    steps = []
    front = symbolic_regression(
        relative(), QUICK, report=lambda step, _, name: steps.append((step, name))
    )
    assert steps == list(enumerate(STEPS))
    return front


def test_a_planted_law_of_relative_features_is_chosen(found):
    row = found.chosen
    assert found.unit == "task"
    a, c = (row.constants[k] for k in (0, 1))
    assert text(row.formula.tree) in (
        "c1*(1.0 - progress)*loss_ratio/(loss_ratio + c2)",
        "c1*loss_ratio*(1.0 - progress)/(loss_ratio + c2)",
    )
    assert c.value == pytest.approx(0.1, rel=0.1)
    assert c.low < c.value < c.high
    assert np.log(a.value / 0.3) == pytest.approx(0, abs=4 * 0.3 / np.sqrt(12))


def test_rows_of_a_front_are_ever_longer_and_ever_better(found):
    frame = table(found)
    assert (np.diff(frame.complexity) > 0).all()
    assert (np.diff(frame.held_out) < 0).all()
    assert frame.chosen.sum() == 1
    assert (frame.gap.to_numpy()[:-1] > 0).all()
    assert frame.gap.iloc[-1] == 0
    assert frame.regret.isna().all()
    for row in found.rows:
        assert row.complexity == len(list(nodes(row.expression)))
        assert refusal(row.expression, relative()) == ""
        assert row.error == pytest.approx(error_of(row.expression), rel=1e-6)
        assert all(each.low <= each.high for each in row.constants)


def error_of(formula):
    data = relative()
    with np.errstate(all="ignore"):
        rate = evaluate(formula, data.names, data.values, np)
    return np.sqrt(np.mean((np.log(rate) - data.log_rate) ** 2))


def test_regrets_are_the_callers(found):
    lengths = np.array([float(row.complexity) for row in found.rows])
    frame = table(scored(found, lengths, lengths + 1))
    assert frame.regret.tolist() == frame.complexity.tolist()
    assert (frame.regret_refined - frame.regret == 1).all()


def test_played_formulas_are_chosen_by_their_regret(found):
    """The shortest within 0.02 nats of the least, in whichever version; not by held-out error."""
    count = len(found.rows)
    falling = np.linspace(1.0, 0.0, count)
    assert scored(found, falling, falling).chosen.complexity == found.rows[-1].complexity
    even = np.full(count, 0.3)
    nearly = np.where(np.arange(count) == count - 1, 0.29, 0.3)
    assert scored(found, even, nearly).chosen.complexity == found.rows[0].complexity
    refined = np.where(np.arange(count) == 1, 0.1, 0.3)
    assert scored(found, even, refined).chosen.complexity == found.rows[1].complexity
    worse = np.full(count, 9.0)
    assert scored(found, refined, worse).chosen.complexity == found.rows[1].complexity


@pytest.mark.slow
def test_the_same_seed_gives_the_same_front_on_one_thread_or_two(found):
    assert QUICK.threads == 2
    again = symbolic_regression(relative(), replace(QUICK, threads=1))
    pd.testing.assert_frame_equal(table(again), table(found), check_exact=True)
    assert [row.formula for row in again.rows] == [row.formula for row in found.rows]
    assert [row.constants for row in again.rows] == [row.constants for row in found.rows]


def test_structures_that_are_given_take_part():
    """Families of the table; AdaLo's (e + c)/(e + 2 c) keeps its one constant."""
    trees = [
        family(name, RELATIVE).formula.tree
        for name in ("constant", "adalo*linear", "saturating*linear")
    ]
    front = symbolic_regression(relative(), GIVEN, extra=trees)
    assert front.chosen.formula.names == ("c1", "c2")
    assert front.chosen.fitted[1] == pytest.approx(0.1, rel=0.1)
    assert front.rows[0].complexity == 1
    rows = symbolic_regression(relative(), GIVEN, extra=[trees[1]]).rows
    tied = [row for row in rows if "c" in row.formula.names]
    assert all(text(row.formula.tree).count("c") >= 2 for row in tied)


def test_a_search_without_structures_says_so():
    with pytest.raises(ValueError, match=r"no formula .* columns loss_ratio, progress"):
        symbolic_regression(relative(), GIVEN, extra=[parse("log(loss_ratio)")])


def test_bad_points():
    data = relative()
    with pytest.raises(ValueError, match=r">= 20 points, column loss_ratio has 7"):
        symbolic_regression(data.take(np.arange(7)), GIVEN)
    one = data._replace(weight=np.where(data.task == "t0", 1.0, 0.0))
    tree = family("saturating*linear", RELATIVE).formula.tree
    assert symbolic_regression(one, GIVEN, extra=[tree]).unit == "point"
    weightless = data._replace(weight=np.where(np.arange(600) < 5, 1.0, 0.0))
    with pytest.raises(ValueError, match="column loss_ratio has 5"):
        symbolic_regression(weightless, GIVEN)
    with pytest.raises(ValueError, match="the ideal rate holds no usable number in 600 rows"):
        points(data.names, data.values, np.full(600, np.nan))
    with pytest.raises(ValueError, match="column loss_ratio has fewer than two distinct values"):
        points(data.names, np.stack([np.ones(600), data.values[1]]), np.exp(data.log_rate))


@pytest.mark.slow
def test_points_without_weight_are_not_seen():
    data = relative()
    off = np.arange(600) % 2 == 0
    spoilt = data._replace(
        log_rate=np.where(off, 50.0, data.log_rate), weight=np.where(off, 0.0, 1.0)
    )
    clean = symbolic_regression(
        spoilt, replace(QUICK, runs=2, population=100, generations=10, rows=150)
    )
    assert clean.chosen.held_out < 0.5
