"""Errors and intervals are those of tasks left out."""

import numpy as np
import pytest

from psi.fit.formula.formula import Candidate, Formula, Parameter, candidate
from psi.fit.formula.held_out import HeldOut, folds, gap, held_out, intervals, unit
from psi.fit.formula.refit import refit
from psi.law.parsing import parse
from tests.fit.formula.planted import SATURATING, sample

NAMES = ("loss", "epoch")
START = candidate(SATURATING, NAMES)


def test_folds_hold_out_whole_tasks():
    data = sample()
    fold = folds(data, 3, 0)
    assert set(fold) == {0, 1, 2}
    for name in np.unique(data.task):
        assert len(set(fold[data.task == name])) == 1
    assert len(set(folds(data, 50, 0))) == 8
    single = data._replace(task=np.full(400, "one", object))
    assert (unit(data), unit(single)) == ("task", "point")
    assert np.bincount(folds(single, 4, 0)).tolist() == [100] * 4


def test_held_out_error_counts_what_tasks_differ_by():
    """Tasks apart by 0.5 nats, noise 0.1: error √(0.5² + 0.1²), its standard error that of 40
    squares, 0.51 · √(2/40)/2 = 0.06, and not that of 4,000 points."""
    data = sample(count=4000, tasks=40, effect=0.5)
    found = held_out(refit(START, data), data, folds(data, 8, 0))
    assert found.error == pytest.approx(0.51, abs=0.15)
    assert 0.02 < found.standard_error < 0.12


def test_a_fold_that_leaves_too_few_points_is_no_error():
    data = sample(count=40, tasks=2)
    data = data._replace(weight=np.where(data.task == "t0", 1.0, 0.0))
    out = held_out(refit(START, data), data, folds(data, 2, 0))
    assert out.error == np.inf
    assert out.standard_error == np.inf


def test_paired_gap():
    """A constant in place of ε/(ε + c) costs the same in every task, however these differ."""
    data = sample(count=4000, tasks=40, effect=0.5)
    fold = folds(data, 8, 0)
    good = held_out(refit(START, data), data, fold)
    near = held_out(refit(candidate(parse("a*tanh(loss/c)"), NAMES), data), data, fold)
    value, error = gap(near, good)
    assert value == pytest.approx(near.error - good.error)
    assert 0 < error < 0.5 * good.standard_error
    assert gap(good, good) == (0.0, 0.0)
    assert gap(HeldOut(good.squares * np.inf, good.weights), good)[0] == np.inf


def test_intervals_are_over_tasks():
    """log a is known to 0.5/√20 = 0.11 from 20 tasks, 0.5/√2000 from points: ten times less."""
    data = sample(count=2000, tasks=20, effect=0.5)
    found = refit(START, data)
    a, _ = intervals(found, data, 100, 0)
    width = np.log(a.high / a.low) / (2 * 1.96)
    assert width == pytest.approx(0.11, rel=0.5)
    assert a.low < a.value < a.high
    alone = data._replace(task=np.full(2000, "one", object))
    b, _ = intervals(found, alone, 100, 0)
    assert np.log(b.high / b.low) < 0.3 * np.log(a.high / a.low)
    assert intervals(found, data, 100, 0)[0] == a


def test_intervals_of_positive_constants_are_of_the_constants_themselves():
    data = sample(tasks=20, effect=0.5)
    formula = Formula(SATURATING, (Parameter("a", True), Parameter("c", True)))
    searched = refit(Candidate(formula, np.log([2.0, 0.3])), data)
    found = intervals(searched, data, 20, 0)
    assert np.log([each.value for each in found]) == pytest.approx(searched.fitted)
    plain = intervals(refit(Candidate(START.formula, np.array([2.0, 0.3])), data), data, 20, 0)
    assert np.array(found)[:, 1:].astype(float) == pytest.approx(
        np.array(plain)[:, 1:].astype(float), rel=1e-5
    )


def test_a_formula_without_constants_has_no_intervals():
    found = refit(candidate(parse("2*loss/(loss + 0.3)"), NAMES), sample(noise=0.0))
    assert intervals(found, sample(), 5, 0) == ()
