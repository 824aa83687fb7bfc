"""Optimizers that choose their step size, beside their formulas in numpy and optax's own."""

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from psi.bench.baselines import BASELINES, adapting
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

CURVATURE = np.array([1.0, 3.0, 0.2])
START = np.array([1.0, -2.0, 0.5])
STEPS = 8
KEY = jax.random.key(0)


def loss(theta):
    return float(0.5 * (CURVATURE * theta**2).sum()) + 0.1


def steps_of(optimizer, rate):
    """θ after every step θ ← θ − rate · u, as the engine takes it."""
    curvature = jnp.asarray(CURVATURE, float)

    def at(theta):
        return 0.5 * (curvature * theta**2).sum() + 0.1

    theta = jnp.asarray(START, float)
    state, taken = optimizer.init(theta), []
    for _ in range(STEPS):
        value, grad = jax.value_and_grad(at)(theta)
        extra = {"value": value, "grad": grad, "value_fn": at, "rate": jnp.asarray(rate)}
        u, state = optimizer.update(grad, state, theta, **extra)
        theta = theta - rate * u
        taken.append(theta)
    return np.array(taken)


def in_numpy(step, rate):
    """The same in float64 by a formula: (number of the step from 1, θ, g, memory, rate) → θ."""
    theta, memory, taken = START, {}, []
    for k in range(1, STEPS + 1):
        theta = step(k, theta, CURVATURE * theta, memory, rate)
        taken.append(theta)
    return np.array(taken)


def averaged(name, k, value, decay, memory):
    memory[name] = decay * memory.get(name, 0.0) + (1 - decay) * value
    return memory[name] / (1 - decay**k)


def adam(k, g, memory, eps):
    mean = averaged("mean", k, g, 0.9, memory)
    return mean / (np.sqrt(averaged("square", k, g**2, 0.999, memory)) + eps)


def l4(with_adam, k, theta, g, memory, rate):
    m = averaged("m", k, g, 0.9, memory)
    v = adam(k, g, memory, 1e-4) if with_adam else m
    lowest = 0.75 * loss(theta) if k == 1 else min(memory["lowest"], loss(theta))
    memory["lowest"] = lowest * (1 + 1 / 1000)
    return theta - rate * (loss(theta) - 0.9 * lowest) / (m @ v + 1e-12) * v


def hypergradient(with_adam, beta, k, theta, g, memory, rate):
    memory["rate"] = memory.get("rate", rate) + beta * (g @ memory.get("v", 0 * g))
    memory["v"] = adam(k, g, memory, 1e-8) if with_adam else g
    return theta - memory["rate"] * memory["v"]


def normalised(k, theta, g, memory, rate):
    last = memory.get("v")
    cosine = 0 if last is None else g @ last / np.linalg.norm(g) / np.linalg.norm(last)
    memory["rate"] = memory.get("rate", rate) * (1 + 0.02 * cosine)
    memory["v"] = g
    return theta - memory["rate"] * g


def polyak(k, theta, g, memory, rate):
    del k, memory
    return theta - min(loss(theta) / (g @ g), rate) * g


def adalo(k, theta, g, memory, rate):
    memory["size"] = 0.999 * memory.get("size", 0.0) + 0.001 * loss(theta) / 3
    memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    return theta - rate * memory["size"] * memory["m"]


FORMULAS = {
    "adalo": adalo,
    "l4_momentum": lambda *a: l4(False, *a),
    "l4_adam": lambda *a: l4(True, *a),
    "polyak": polyak,
    "hypergradient": lambda *a: hypergradient(False, 1e-3, *a),
    "hypergradient_adam": lambda *a: hypergradient(True, 1e-7, *a),
    "hypergradient_normalised": normalised,
}


@pytest.mark.parametrize("rate", [0.05, 0.3])
@pytest.mark.parametrize("name", FORMULAS)
def test_it_takes_the_steps_of_its_formula(name, rate):
    made = BASELINES[name].optimizer
    assert made is not None
    taken, expected = steps_of(made(), rate), in_numpy(FORMULAS[name], rate)
    np.testing.assert_allclose(taken, expected, rtol=2e-4, atol=3e-5)


def test_adalo_by_a_rate_at_which_its_first_steps_are_large():
    taken, expected = steps_of(adapting.adalo(), 300.0), in_numpy(adalo, 300.0)
    np.testing.assert_allclose(taken, expected, rtol=2e-4, atol=3e-5)
    assert np.abs(expected - START).max() > 0.3


def test_the_direction_before_counts_and_not_the_gradient():
    """With a β whose effect float32 shows: the 1e-7 of Adam-HD is lost in the rounding."""
    taken = steps_of(adapting.hypergradient(optax.scale_by_adam(), 1e-2), 0.05)
    expected = in_numpy(lambda *a: hypergradient(True, 1e-2, *a), 0.05)
    np.testing.assert_allclose(taken, expected, rtol=2e-4, atol=3e-5)
    fixed = in_numpy(lambda *a: hypergradient(True, 0.0, *a), 0.05)
    assert np.abs(fixed - expected).max() > 0.1


def test_every_row_has_its_formula():
    assert set(FORMULAS) == {row.name for row in adapting.ROWS}


def test_polyak_is_that_of_optax():
    rate = 0.3
    theta: Any = jnp.asarray(START, float)
    solver = optax.polyak_sgd(max_learning_rate=rate)
    state = solver.init(theta)
    for taken in steps_of(adapting.bounded_polyak(), rate):
        grad = jnp.asarray(CURVATURE, float) * theta
        u, state = solver.update(grad, state, theta, value=jnp.asarray(loss(np.asarray(theta))))
        theta = optax.apply_updates(theta, u)
        np.testing.assert_allclose(taken, theta, rtol=1e-5)


@pytest.mark.parametrize("make", [optax.lbfgs, optax.scale_by_backtracking_linesearch])
def test_line_searches_of_optax_train_beside_the_rate(make):
    """They raise TypeError at an argument that `value_fn` does not take."""
    settings = {} if make is optax.lbfgs else {"max_backtracking_steps": 4}
    search = optax.chain(make(**settings), optax.scale(-1.0))
    task = make_task("noisy_quadratic", Hyper(epochs=1))
    task = task._replace(functions=task.functions._replace(optimizer=search))
    runs = population(task, trajectory, np.ones((1, 1), np.float32), np.arange(1), KEY)
    assert np.isfinite(runs.val_loss).all()


def test_the_engine_tells_an_optimizer_its_rate():
    """Where u is the gradient over the rate, every rate trains alike."""

    def update(grads, state, params=None, *, rate, **extra):
        del params, extra
        return optax.tree.scale(0.1 / rate, grads), state

    task = make_task("noisy_quadratic", Hyper(epochs=2))
    own = optax.GradientTransformationExtraArgs(optax.init_empty_state, cast(Any, update))
    task = task._replace(functions=task.functions._replace(optimizer=own))
    rates = np.array([[0.5, 0.25], [1.0, 2.0]], np.float32)
    runs = population(task, trajectory, rates, np.arange(2), KEY)
    np.testing.assert_allclose(runs.val_loss[0], runs.val_loss[1], rtol=1e-5)
