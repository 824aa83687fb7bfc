"""Constants are refitted in log α; errors and intervals are those of tasks left out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.fit.formula.formula import Form, bound, constants
from psi.fit.formula.gradient import PARTIALS, steps, value_and_jacobian
from psi.fit.formula.held_out import HeldOut, folds, gap, held_out, intervals, unit
from psi.fit.formula.points import points
from psi.fit.formula.refit import log_apart, refit
from psi.law.expression import OPERATIONS, Apply, Variable, evaluate
from psi.law.parsing import parse
from psi.law.printing import text

SATURATING = parse("a*loss/(loss + c)")


def sample(noise=0.1, count=400, tasks=8, effect=0.0, seed=0):
    """α = 2 ε/(ε + 0.3), rates of each task a factor exp(effect · z) apart."""
    rng = np.random.default_rng(seed)
    loss = np.exp(rng.uniform(-4, 2, count))
    task = rng.integers(0, tasks, count)
    log_rate = np.log(2 * loss / (loss + 0.3)) + effect * rng.normal(size=tasks)[task]
    epoch = rng.uniform(0, 10, count)
    names = np.array([f"t{k}" for k in range(tasks)], object)
    rate = np.exp(log_rate + noise * rng.normal(size=count))
    return points(("loss", "epoch"), np.stack([loss, epoch]), rate, task=names[task])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_derivatives_are_those_of_jax(operation):
    """∂/∂a, ∂/∂b of operation(a·x, b + x), where it is smooth."""
    x = np.linspace(0.3, 2.0, 7)
    inner = (
        Apply("mul", (Variable("a"), Variable("x"))),
        Apply("add", (Variable("b"), Variable("x"))),
    )
    tree = Apply(operation, inner[: OPERATIONS[operation].arity])
    names = constants(tree, ("x",))
    at = {"a": 1.3, "b": 0.7}

    def rate(free, x):
        return evaluate(tree, ("x", *names), [x, *free], jnp)

    value, slopes = value_and_jacobian(steps(tree, names), {"x": x, **at}, names, 7)
    with jax.enable_x64(True):
        free = jnp.array([at[name] for name in names])
        expected = jax.vmap(jax.grad(rate), (None, 0))(free, jnp.asarray(x)).T
        np.testing.assert_allclose(value, rate(free, jnp.asarray(x)), rtol=1e-12)
    np.testing.assert_allclose(slopes, expected, rtol=1e-10, atol=1e-12)


def test_every_operation_has_derivatives():
    assert {name: len(row) for name, row in PARTIALS.items() if name in OPERATIONS} == {
        name: row.arity for name, row in OPERATIONS.items()
    }


def test_constants_without_noise_are_exact_from_afar():
    found = refit(Form(SATURATING, {"a": 50.0, "c": 0.001}), sample(noise=0.0))
    assert found.start == pytest.approx({"a": 2.0, "c": 0.3}, rel=1e-6)
    assert found.error < 1e-6
    assert text(found.formula, 3) == "2*loss/(loss + 0.3)"


def test_standard_errors_are_the_spread_of_the_constants():
    """60 data sets: the spread of 60 draws is known to 1/√118 = 9 %, three of that are allowed."""
    fits = [refit(Form(SATURATING, {}), sample(seed=seed)) for seed in range(60)]
    spread = np.std([fit.values for fit in fits], axis=0)
    np.testing.assert_allclose(np.mean([fit.errors for fit in fits], 0), spread, rtol=0.28)


def test_wild_labels_and_weights():
    clean = sample(noise=0.01)
    wild = clean.log_rate.copy()
    wild[::20] += 5
    robust = refit(Form(SATURATING, {}), clean._replace(log_rate=wild))
    plain = refit(Form(SATURATING, {}), clean._replace(log_rate=wild), robust=False)
    assert robust.start["a"] == pytest.approx(2.0, rel=0.1)
    assert plain.start["a"] > 1.2 * 2
    weight = np.where(np.arange(400) % 20 == 0, 0.0, 1.0)
    weighted = refit(Form(SATURATING, {}), clean._replace(log_rate=wild, weight=weight))
    assert weighted.start["a"] == pytest.approx(2.0, rel=0.01)


def test_a_start_that_is_negative_somewhere_is_led_out():
    """2 ε/(ε + 0.3) − 0.1 < 0 at small ε, where a logarithm does not exist."""
    found = refit(Form(parse("a*loss/(loss + c) - d"), {"a": 2.0, "c": 0.3, "d": 0.1}), sample())
    assert not found.failure
    assert found.error == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("log(loss)", "finite and positive"),
        ("loss - 1", "finite and positive"),
        ("a*b*loss", "do not determine"),
        ("a*loss + b*0", "do not determine"),
    ],
)
def test_a_failure_is_a_reason(formula, reason):
    assert reason in refit(Form(parse(formula), {}), sample()).failure


def test_fewer_points_than_constants():
    few = sample().take(np.arange(2))
    with pytest.raises(ValueError, match=r"3 constants .* column loss has 2"):
        refit(Form(parse("a*loss^b + c"), {}), few)


def test_a_form_without_constants():
    found = refit(Form(parse("2*loss/(loss + 0.3)"), {}), sample(noise=0.0))
    assert (found.names, found.failure) == ((), "")
    assert found.error < 1e-12
    assert intervals(found, sample(), 5, 0) == ()


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
    found = held_out(refit(Form(SATURATING, {}), data), data, folds(data, 8, 0))
    assert found.error == pytest.approx(0.51, abs=0.15)
    assert 0.02 < found.standard_error < 0.12


def test_a_fold_that_leaves_too_few_points_is_no_error():
    data = sample(count=40, tasks=2)
    data = data._replace(weight=np.where(data.task == "t0", 1.0, 0.0))
    out = held_out(refit(Form(SATURATING, {}), data), data, folds(data, 2, 0))
    assert out.error == np.inf
    assert out.standard_error == np.inf


def test_paired_gap():
    """A constant in place of ε/(ε + c) costs the same in every task, however these differ."""
    data = sample(count=4000, tasks=40, effect=0.5)
    fold = folds(data, 8, 0)
    good = held_out(refit(Form(SATURATING, {}), data), data, fold)
    near = held_out(refit(Form(parse("a*tanh(loss/c)"), {}), data), data, fold)
    between = gap(near, good)
    assert between.value == pytest.approx(near.error - good.error)
    assert 0 < between.standard_error < 0.5 * good.standard_error
    assert gap(good, good) == (0.0, 0.0)
    assert gap(HeldOut(good.squares * np.inf, good.weights), good).value == np.inf


def test_intervals_are_over_tasks():
    """log a is known to 0.5/√20 = 0.11 from 20 tasks, 0.5/√2000 from points: ten times less."""
    data = sample(count=2000, tasks=20, effect=0.5)
    found = refit(Form(SATURATING, {}), data)
    a, _ = intervals(found, data, 100, 0)
    width = np.log(a.high / a.low) / (2 * 1.96)
    assert width == pytest.approx(0.11, rel=0.5)
    assert a.low < a.value < a.high
    alone = data._replace(task=np.full(2000, "one", object))
    b, _ = intervals(found, alone, 100, 0)
    assert np.log(b.high / b.low) < 0.3 * np.log(a.high / a.low)
    assert intervals(found, data, 100, 0)[0] == a


def test_negative_constants_are_written_as_differences():
    tree = bound(parse("a + b*x/c - d"), {"a": 1.0, "b": -2.0, "c": 3.0, "d": -4.0})
    assert text(tree, 3) == "1 - 2*x/3 + 4"


def test_log_apart_is_nan_where_there_is_no_rate():
    found = refit(Form(SATURATING, {}), sample())
    below = found._replace(values=np.array([-1.0, 0.3]))
    assert np.isnan(log_apart(below, sample())).all()
