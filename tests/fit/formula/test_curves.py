"""Fits of the table of curves: what was planted is found, and judged by tasks left out."""

import numpy as np
import pytest

from psi.fit.formula import curves as room
from psi.fit.formula.aggregate import MANY, aggregated
from psi.fit.formula.curves import Curve, best_by_length, fit_curve, fit_curves, simplest
from psi.fit.formula.families import RAW, RELATIVE, SIZED, families, family
from tests.fit.formula.planted import CONSTANT, INVERSE_TIME, noisy, planted

FAST = {
    RELATIVE: ("constant", "saturating*linear", "loss_power*polynomial", "adalo*inverse_sqrt"),
    SIZED: ("loss_power*polynomial*size_power",),
    RAW: ("polyak*exponential", "adalo_falling*inverse_time*warmup", "step"),
}


SIXTH = 6  # of the families that are slow: all together take as long as every other test


def slow_unless(fast, features):
    rest = [f for f in families(features) if f.name not in fast][::SIXTH]
    return [
        pytest.param(f, features, id=f"{f.name} in {features[-1]}")
        if f.name in fast
        else pytest.param(f, features, id=f"{f.name} in {features[-1]}", marks=pytest.mark.slow)
        for f in families(features)
        if f.name in fast or f in rest
    ]


@pytest.mark.parametrize(
    ("of", "features"), [row for names, fast in FAST.items() for row in slow_unless(fast, names)]
)
def test_planted_constants_are_recovered(of, features):
    """The length s of a step is known to the gap between points that it must pass through: one
    epoch of the raw ones, 1/200 of T of the relative ones."""
    data, true = planted(of, features)
    found = fit_curve(of, data)
    assert found.error < 1e-6
    assert found.held_out < 1e-6
    got = dict(zip(true, found.constants, strict=True))
    gap = {"s": 1.0 if features == RAW else 0.005}
    for name, value in true.items():
        assert got[name] == pytest.approx(value, rel=1e-5, abs=gap.get(name, 0))


def test_wild_labels_move_little_and_weights_count():
    """One label in 20 six nats too high: the mean of log α is off by 0.3; under soft L1 a label b
    off pulls by b/√(1 + b²), so that 0.95 b = 0.05 · 6/√37, b = 0.052."""
    data, true = noisy(noise=0.05, of=CONSTANT)
    wild = np.arange(400) % 20 == 0
    spoilt = data._replace(log_rate=data.log_rate + 6.0 * wild)
    robust = fit_curve(CONSTANT, spoilt)
    assert np.log(robust.constants / true) == pytest.approx(0.052, abs=0.01)
    clean = fit_curve(CONSTANT, spoilt._replace(weight=np.where(wild, 0.0, 1.0)))
    without = fit_curve(CONSTANT, data.take(~wild))
    np.testing.assert_allclose(clean.constants, without.constants, rtol=1e-6)
    np.testing.assert_allclose(clean.constants, true, rtol=4 * 0.05 / np.sqrt(380))


def test_a_weight_of_two_is_a_point_twice():
    data, _ = noisy()
    twice = np.concatenate([np.arange(400), np.arange(100)])
    weighted = data._replace(weight=np.where(np.arange(400) < 100, 2.0, 1.0))
    found = [fit_curve(INVERSE_TIME, each).constants for each in (weighted, data.take(twice))]
    np.testing.assert_allclose(*found, rtol=1e-3)


def test_held_out_error_counts_what_tasks_differ_by():
    """Tasks apart by 0.5 nats, noise 0.1: √(0.5² + 0.1²) = 0.51 on tasks left out."""
    data, _ = noisy(effect=0.5, tasks=40)
    found = fit_curve(INVERSE_TIME, data)
    assert found.held_out == pytest.approx(0.51, abs=0.15)
    assert 0.02 < found.held_out_error < 0.12
    assert found.error < found.held_out


def curve(constants, held_out, error):
    return Curve(INVERSE_TIME, np.zeros(constants), 0.1, held_out, error)


def test_the_simplest_within_one_standard_error():
    rows = [curve(4, 1.0, 0.1), curve(3, 1.05, 0.5), curve(2, 1.09, 0.0), curve(1, 1.11, 0.0)]
    assert simplest(rows) is rows[2]
    assert simplest(rows[:2]) is rows[1]
    alone = [curve(4, float("nan"), float("nan")), curve(1, float("nan"), float("nan"))]
    assert simplest(alone) is alone[0]


def test_the_best_of_each_length_shortest_first():
    rows = [curve(3, 1.0, 0.1), curve(1, 1.1, 0.1), curve(3, 1.2, 0.1), curve(2, 1.3, 0.1)]
    kept = best_by_length(rows)
    assert len(kept) == 3
    assert all(a is b for a, b in zip(kept, (rows[1], rows[3], rows[0]), strict=True))


def test_the_best_comes_first_and_the_planted_is_simplest():
    data, _ = noisy(effect=0.3)
    names = ("constant", "saturating", "saturating*inverse_time", "saturating*power")
    steps = []
    found = fit_curves(
        [family(name, RAW) for name in names], data, report=lambda *step: steps.append(step)
    )
    assert steps == [*((k, 4, name) for k, name in enumerate(names)), (4, 4, "")]
    assert (np.diff([each.held_out for each in found]) >= 0).all()
    assert simplest(found).family.name == "saturating*inverse_time"


def test_the_same_seed_gives_the_same_curve():
    data, _ = noisy()
    one, two = (fit_curve(INVERSE_TIME, data, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.fitted, two.fitted)


@pytest.mark.slow
def test_boxes_stand_for_very_many_points(monkeypatch):
    """100,000 points: means over boxes lead to within 0.002 nats, a tenth of what is known over
    ten tasks; the fit itself ends where one to all points does."""
    data, true = noisy(noise=0.3, effect=0.1, count=100_000)
    few = aggregated(data)
    assert len(few.task) <= MANY < len(data.task)
    assert few.weight.sum() == pytest.approx(1e5)
    fast = fit_curve(INVERSE_TIME, data)
    boxed = fit_curve(INVERSE_TIME, few)
    np.testing.assert_allclose(np.log(boxed.constants), np.log(fast.constants), atol=0.01)
    monkeypatch.setattr(room, "aggregated", lambda data: data)
    monkeypatch.setattr(room, "LANES", 4)
    exact = fit_curve(INVERSE_TIME, data)
    np.testing.assert_allclose(fast.constants, exact.constants, rtol=1e-6)
    np.testing.assert_allclose(np.log(fast.constants / true), 0, atol=0.15)


@pytest.mark.slow
def test_a_million_points():
    data, true = noisy(noise=0.3, count=1_000_000)
    found = fit_curve(INVERSE_TIME, data)
    # 0.3/√10⁶ = 0.0003 nats for one constant; three correlated ones are known several times less.
    np.testing.assert_allclose(np.log(found.constants / true), 0, atol=0.005)


def test_fewer_points_than_constants():
    data, _ = noisy()
    with pytest.raises(ValueError, match="3 constants need as many points at least, got 2"):
        fit_curve(INVERSE_TIME, data.take(np.arange(2)))
    weight = np.where(np.arange(400) < 1, 1.0, 0.0)
    with pytest.raises(ValueError, match="got 1"):
        fit_curve(INVERSE_TIME, data._replace(weight=weight))
