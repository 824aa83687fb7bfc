"""The table of curves: what was planted is found, and its worth is told by tasks left out."""

import numpy as np
import pandas as pd
import pytest

from psi.fit.formula import curves as room
from psi.fit.formula.aggregate import MANY, aggregated
from psi.fit.formula.curves import Curve, fit_curve, fit_curves, simplest, spread
from psi.fit.formula.families import RAW, RELATIVE, SIZED, families, family
from psi.fit.formula.points import points, points_of
from psi.law.expression import evaluate
from psi.law.printing import text

TRUE = {"rate": 0.3, "loss": 0.2, "time": 0.25, "exponent": 0.6, "divisor": 3.0}
WARMUP = 0.4
EPOCHS = 20
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


def planted(of, features, count=200, seed=1, tasks=6):
    """(noise-free points of a family, its constants)."""
    rng = np.random.default_rng(seed)
    loss, time = np.exp(rng.uniform(-3, 0.3, count)), rng.uniform(0, 0.97, count)
    times = EPOCHS if features == RAW else 1
    time = np.floor(time * EPOCHS) if features == RAW else time
    size = np.floor(10 ** rng.uniform(1, 5, count))
    seen = np.stack([loss, time, size][: len(features)])
    true = {
        free.name: (WARMUP if free.name == "w" else TRUE[free.unit])
        * (times if free.unit == "time" else 1)
        for free in of.constants
    }
    rate = evaluate(of.tree, (*features, *true), [*seen, *true.values()], np)
    names = np.array([f"t{k}" for k in range(tasks)], object)[rng.integers(0, tasks, count)]
    return points(features, seen, np.broadcast_to(rate, count), task=names), true


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


def test_factors_make_the_table():
    names = [each.name for each in families(RELATIVE)]
    assert len(names) == len(set(names)) == 6 * 9 * 2
    assert len(families(RAW)) == 6 * 6 * 2
    assert len(families(SIZED)) == 6 * 9 * 2 * 2
    assert all(each.source for each in families(RAW) if each.name != "constant")
    assert text(family("saturating*linear*warmup", RELATIVE).tree).startswith("a*(loss_ratio/")


@pytest.mark.parametrize(
    ("name", "features", "message"),
    [
        ("parabola", RAW, "unknown family 'parabola' in loss and epoch; allowed: constant, warmup"),
        ("cosine", RAW, "unknown family 'cosine' in loss and epoch"),
        ("linear*saturating", RELATIVE, "unknown family 'linear.saturating' in loss_ratio"),
    ],
)
def test_unknown_families(name, features, message):
    with pytest.raises(ValueError, match=message):
        family(name, features)


SATURATING = family("saturating*inverse_time", RAW)


CONSTANT = family("constant", RAW)


def noisy(noise=0.1, effect=0.0, tasks=10, count=400, seed=0, of=SATURATING):
    """α = 0.3 ε/(ε + 0.2)/(1 + i/5), each task's rates a common factor apart."""
    data, true = planted(of, RAW, count, seed, tasks)
    rng = np.random.default_rng(seed + 1)
    off = effect * rng.normal(size=tasks)
    number = np.array([int(name[1:]) for name in data.task])
    return data._replace(
        log_rate=data.log_rate + off[number] + noise * rng.normal(size=count)
    ), np.array(list(true.values()))


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
    found = [fit_curve(SATURATING, each).constants for each in (weighted, data.take(twice))]
    np.testing.assert_allclose(*found, rtol=1e-3)


def test_held_out_error_counts_what_tasks_differ_by():
    """Tasks apart by 0.5 nats, noise 0.1: √(0.5² + 0.1²) = 0.51 on tasks left out."""
    data, _ = noisy(effect=0.5, tasks=40, count=2000)
    found = fit_curve(SATURATING, data)
    assert found.held_out == pytest.approx(0.51, abs=0.15)
    assert 0.02 < found.held_out_error < 0.12
    assert found.error < found.held_out


def test_intervals_are_over_tasks():
    """Of a constant rate: log a is known to s_m/√10, s_m the standard deviation of tasks' means; as
    if each point were a task of its own, or of one task alone, to s/√400, s that of points."""
    data, _ = noisy(effect=0.5, of=CONSTANT)
    rows = data._replace(task=np.arange(400).astype(str).astype(object))
    alone = data._replace(task=np.full(400, "t", object))
    found = fit_curve(CONSTANT, data)
    wide, narrow, one = (spread(found, each) for each in (data, rows, alone))
    over_tasks = pd.Series(data.log_rate).groupby(data.task).mean().std(ddof=0) / np.sqrt(10)
    over_rows = data.log_rate.std() / np.sqrt(400)
    assert over_tasks > 4 * over_rows
    assert wide.error / found.constants == pytest.approx(over_tasks, rel=0.2)
    assert narrow.error / found.constants == pytest.approx(over_rows, rel=0.2)
    assert one.error == pytest.approx(narrow.error, rel=0.2)
    assert wide.low < found.constants < wide.high
    assert np.log(wide.high / wide.low) == pytest.approx(2 * 1.96 * over_tasks, rel=0.25)


def curve(constants, held_out, error):
    return Curve(SATURATING, np.zeros(constants), 0.1, held_out, error)


def test_the_simplest_within_one_standard_error():
    rows = [curve(4, 1.0, 0.1), curve(3, 1.05, 0.5), curve(2, 1.09, 0.0), curve(1, 1.11, 0.0)]
    assert simplest(rows) is rows[2]
    assert simplest(rows[:2]) is rows[1]
    alone = [curve(4, float("nan"), float("nan")), curve(1, float("nan"), float("nan"))]
    assert simplest(alone) is alone[0]


def test_the_best_comes_first_and_the_planted_is_simplest():
    data, _ = noisy(effect=0.3)
    names = ("constant", "saturating", "saturating*inverse_time", "saturating*power")
    told = []
    found = fit_curves(
        [family(name, RAW) for name in names], data, report=lambda *step: told.append(step)
    )
    assert told == [*((k, 4, name) for k, name in enumerate(names)), (4, 4, "")]
    assert (np.diff([each.held_out for each in found]) >= 0).all()
    assert simplest(found).family.name == "saturating*inverse_time"


def test_the_same_seed_gives_the_same_curve():
    data, _ = noisy()
    one, two = (fit_curve(SATURATING, data, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.found, two.found)


@pytest.mark.slow
def test_boxes_stand_for_very_many_points(monkeypatch):
    """100,000 points: means over boxes lead to within 0.002 nats, a tenth of what is known over
    ten tasks; the fit itself ends where one to all points does."""
    data, true = noisy(noise=0.3, effect=0.1, count=100_000)
    few = aggregated(data)
    assert len(few.task) <= MANY < len(data.task)
    assert few.weight.sum() == pytest.approx(1e5)
    fast = fit_curve(SATURATING, data)
    boxed = fit_curve(SATURATING, few)
    np.testing.assert_allclose(np.log(boxed.constants), np.log(fast.constants), atol=0.01)
    monkeypatch.setattr(room, "aggregated", lambda data: data)
    monkeypatch.setattr(room, "LANES", 4)
    exact = fit_curve(SATURATING, data)
    np.testing.assert_allclose(fast.constants, exact.constants, rtol=1e-6)
    np.testing.assert_allclose(np.log(fast.constants / true), 0, atol=0.15)


@pytest.mark.slow
def test_a_million_points():
    data, true = noisy(noise=0.3, count=1_000_000)
    found = fit_curve(SATURATING, data)
    # 0.3/√10⁶ = 0.0003 nats for one constant; three correlated ones are known several times less.
    np.testing.assert_allclose(np.log(found.constants / true), 0, atol=0.005)


def test_fewer_points_than_constants():
    data, _ = noisy()
    with pytest.raises(ValueError, match="3 constants need as many points at least, got 2"):
        fit_curve(SATURATING, data.take(np.arange(2)))
    weight = np.where(np.arange(400) < 1, 1.0, 0.0)
    with pytest.raises(ValueError, match="got 1"):
        fit_curve(SATURATING, data._replace(weight=weight))


GRID = np.stack([np.linspace(0.1, 1, 9), np.arange(9.0)])


@pytest.mark.parametrize(
    ("values", "rate", "weight", "message"),
    [
        (GRID, np.full(9, np.nan), None, "the ideal rate holds no usable number in 9 rows"),
        (GRID, -np.ones(9), None, "the ideal rate holds no usable number"),
        (GRID * [[np.nan], [1]], np.ones(9), None, "column loss holds no usable number"),
        (GRID * [[0], [1]], np.ones(9), None, "column loss has fewer than two distinct values"),
        (GRID * [[1], [0]], np.ones(9), None, "column epoch has fewer than two distinct values"),
        (GRID, np.ones(9), -np.ones(9), "column weight must be >= 0, got -1"),
        (GRID, np.ones(9), np.zeros(9), "column weight is zero throughout"),
        (GRID[:1], np.ones(9), None, r"must have shape \(2, 9\), got \(1, 9\)"),
    ],
)
def test_bad_points(values, rate, weight, message):
    with pytest.raises(ValueError, match=message):
        points(RAW, values, rate, weight)


def test_points_that_are_no_numbers_are_left_out():
    rate = np.ones(9)
    rate[:3] = np.nan, np.inf, 0.0
    values = GRID.copy()
    values[0, 3] = np.nan
    assert len(points(RAW, values, rate).task) == 5


@pytest.mark.parametrize(
    ("names", "first"),
    [(RAW, [0.5, 2.0]), (RELATIVE, [0.25, 0.2]), (SIZED, [0.25, 0.2, 600])],
    ids=("raw", "relative", "sized"),
)
def test_points_of_a_table(names, first):
    ideal = pd.DataFrame(
        {
            "task": ["t", "t", "u"], "loss": [0.5, 1.0, 2.0], "initial_loss": 2.0,
            "epoch": [2, 3, 4], "epochs": 10, "lr": [0.2, 0.4, 0.8],
            "log_lr_error": [0.4, 0.0, 9.0], "sure": [True, True, False], "scale": [0.5, 0.5, 4.0],
            "parameters": [600, 600, 900],
        }
    )  # fmt: skip
    found = points_of(ideal, names)
    np.testing.assert_allclose(found.values[:, 0], first)
    np.testing.assert_allclose(np.exp(found.log_rate), ideal.lr)
    np.testing.assert_allclose(found.weight, [1 / 0.25, 1 / 0.09, 0])
    np.testing.assert_allclose(np.exp(points_of(ideal, names, True).log_rate), [0.4, 0.8, 0.2])
