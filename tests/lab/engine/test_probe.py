"""The probe against curvatures that are known."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.lab.engine.policy import measured_policy
from psi.lab.engine.probe import BATCHES, initial_grad_norms, probed_scale
from psi.lab.hyper import Hyper
from psi.lab.tasks.noiseless_problems import PowerLaw
from psi.lab.tasks.problems import POWER_LAW, Problem, task_of
from psi.lab.tasks.table import make_task
from psi.law.clock import Clock
from psi.law.features import Observation
from psi.law.law import Law, Range
from psi.law.parsing import parse

KEY = jax.random.key(3)
SEEDS = np.arange(4)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov"])
def test_of_one_curvature_it_is_its_inverse(optimizer):
    """h = 2: g·u/u·Hu = 1/h whatever the noise, for any u along g. Nesterov's first update is
    1.9 g."""
    task = make_task("noisy_quadratic", Hyper(optimizer=optimizer))
    lookahead = 1.9 if optimizer == "nesterov" else 1.0
    expected = 0.5 / lookahead
    np.testing.assert_allclose(probed_scale(task, SEEDS, KEY), expected, rtol=2e-3)


def test_of_sign_descent_it_is_the_best_step():
    """G8: α* = √(2ε/h) = |x| on a quadratic."""
    problem = Problem(POWER_LAW, lambda _: PowerLaw(1.0, 2.0, 3.0))
    task = task_of("power_law", problem, Hyper(optimizer="sign"))
    np.testing.assert_allclose(probed_scale(task, SEEDS[:1], KEY), 3.0, rtol=2e-3)


def test_on_linear_regression_it_is_the_exact_ratio():
    """H = XᵀX/B of each minibatch, computed in float64 with the bias as one more column."""
    task = make_task("diabetes", Hyper(network="linear"))
    found = probed_scale(task, SEEDS, KEY)
    for seed, got in zip(SEEDS, found, strict=True):
        key = jax.random.fold_in(KEY, seed)
        params = task.functions.init(task.arrays, jax.random.fold_in(key, 0))
        rows = task.functions.epoch(task.arrays, jax.random.fold_in(key, 1), jnp.asarray(0))
        ((weights, bias),) = params
        theta = np.r_[np.asarray(weights, float).ravel(), np.asarray(bias, float)]
        slope = curvature = 0.0
        for x, y in zip(rows.x[:BATCHES], rows.y[:BATCHES], strict=True):
            inputs = np.c_[np.asarray(x, float), np.ones(len(x))]
            g = inputs.T @ (inputs @ theta - np.asarray(y, float)) / len(x)
            slope += g @ g
            curvature += g @ (inputs.T @ (inputs @ g)) / len(x)
        assert got == pytest.approx(slope / curvature, rel=5e-3)


def test_on_linear_regression_the_first_gradient_is_the_exact_one():
    task = make_task("diabetes", Hyper(network="linear"))
    for seed, got in zip(SEEDS, initial_grad_norms(task, SEEDS, KEY), strict=True):
        key = jax.random.fold_in(KEY, seed)
        ((weights, bias),) = task.functions.init(task.arrays, jax.random.fold_in(key, 0))
        rows = task.functions.epoch(task.arrays, jax.random.fold_in(key, 1), jnp.asarray(0))
        theta = np.r_[np.asarray(weights, float).ravel(), np.asarray(bias, float)]
        inputs = np.c_[np.asarray(rows.x[0], float), np.ones(len(rows.x[0]))]
        g = inputs.T @ (inputs @ theta - np.asarray(rows.y[0], float)) / len(inputs)
        assert got == pytest.approx(np.linalg.norm(g), rel=1e-4)


def test_a_policy_tells_a_law_the_first_gradient_of_its_run():
    law = Law(
        model=parse("initial_grad_norm^(-0.5)"), features=("initial_grad_norm",),
        domain=(Range(0.01, 100.0),), rates=Range(1e-3, 10.0), optimizer="sgd",
        initial_loss=1.0, typical=(4.0,),
    )  # fmt: skip
    seen = Observation(0, 5, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 10.0)
    rates = {}
    for own in (9.0, np.nan):
        policy = measured_policy(Clock(law, 5), jnp.asarray(own))
        rates[own] = float(policy.step(policy.init(seen), seen)[1])
    assert list(rates.values()) == pytest.approx([1 / 3, 1 / 2])
    # Of a law that is scale × shape the number is the scale.
    scaled = measured_policy(Clock(replace(law, scale=1.0), 5), jnp.asarray(0.25))
    assert float(scaled.step(scaled.init(seen), seen)[1]) == pytest.approx(0.25 / 2)


def test_a_loss_k_times_as_large_has_a_scale_k_times_as_small():
    task = make_task("wine")
    functions = task.functions

    def louder(arrays, params, batch):
        return 7 * functions.loss(arrays, params, batch)

    loud = task._replace(functions=functions._replace(loss=louder))
    once, seven = (probed_scale(t, SEEDS, KEY) for t in (task, loud))
    np.testing.assert_allclose(once / seven, 7.0, rtol=2e-2)


def test_without_curvature_there_is_no_scale():
    """|x| away from its kink is a straight line."""
    problem = Problem(POWER_LAW, lambda _: PowerLaw(1.0, 1.0, 3.0))
    assert np.isnan(probed_scale(task_of("power_law", problem, Hyper()), SEEDS[:1], KEY)).all()


def test_a_short_epoch_is_followed_by_the_next():
    """A problem has one minibatch an epoch, the probe asks for more."""
    task = make_task("noisy_quadratic", Hyper())
    assert task.facts.steps < BATCHES
    longer = task._replace(facts=replace(task.facts, epochs=3))
    assert np.isfinite(probed_scale(longer, SEEDS, KEY)).all()
