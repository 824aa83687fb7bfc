"""Rates measured before training, beside eigenvalues, whole trainings and the range test."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from psi.bench.baselines import BASELINES, measured
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.engine.run import run_keys
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

KEY, SEEDS = jax.random.key(3), np.arange(5, 8)


@pytest.fixture(scope="module")
def wine():
    return make_task("wine", Hyper(epochs=1, width=2))


def test_the_largest_curvature_of_either_sign():
    curved = jnp.array([1.0, -5.0, 3.0])
    found = measured.largest_curvature(lambda p: 0.5 * (curved * p**2).sum(), jnp.ones(3), KEY)
    np.testing.assert_allclose(found, 5.0, rtol=1e-4)
    flat = measured.largest_curvature(lambda p: p.sum(), jnp.ones(3), KEY)
    assert flat == 0


def hessians(task):
    """At the initial weights of each run, of the mean loss of its first minibatches."""

    def of_run(key):
        initialisation, order = run_keys(key)
        flat, unravel = ravel_pytree(task.init(initialisation))
        epoch = task.functions.epoch(task.arrays, order, jnp.asarray(0))

        def loss(p):
            rows = range(min(measured.BATCHES, task.facts.steps))
            batches = [jax.tree.map(lambda a, k=k: a[k], epoch) for k in rows]
            return jnp.stack([task.loss(unravel(p), each) for each in batches]).mean()

        return jax.jacrev(jax.grad(loss))(flat)

    keys = jax.vmap(lambda seed: jax.random.fold_in(KEY, seed))(SEEDS)
    return np.asarray(jax.jit(lambda keys: jax.lax.map(of_run, keys))(keys))


def test_curvature_is_the_largest_eigenvalue(wine):
    """Of the whole Hessian at each run's own initial weights; ‖Hv‖ is never above it."""
    largest = np.abs(np.linalg.eigvalsh(hessians(wine))).max(1)
    found = measured.curvature(1.0, wine, SEEDS, KEY)
    np.testing.assert_allclose(1 / found.rate, largest, rtol=0.03)
    assert (1 / found.rate <= largest * 1.001).all()
    assert found.gradients == 2 * measured.ITERATIONS * min(measured.BATCHES, wine.facts.steps)
    twice = measured.curvature(2.0, wine, SEEDS, KEY)
    np.testing.assert_allclose(twice.rate, 2 * found.rate)


def test_the_highest_stable_rate_is_at_the_edge(wine):
    """One step of the grid further, the engine's own training raises the loss."""
    rates = np.asarray(measured.GRID, np.float32)[:, None]
    runs = population(wine, trajectory, rates, SEEDS, KEY)
    stable = runs.loss_next[:, :, 0] <= runs.loss_full[:, :, 0]
    found = measured.highest_stable(wine, SEEDS, KEY)
    for seed, rate in enumerate(found.rate):
        at = int(np.searchsorted(measured.GRID, rate))
        assert measured.GRID[at] == rate
        assert stable[at, seed]
        assert at == len(measured.GRID) - 1 or not stable[at + 1, seed]
    assert found.gradients == measured.HALVINGS * wine.facts.steps


def test_a_range_test_is_one_rate_for_all(wine):
    found = measured.suggested(wine, SEEDS, KEY)
    lr = measured.tested(wine, KEY).lr
    np.testing.assert_array_equal(found.rate, np.full(3, np.nan if lr is None else lr))
    assert found.gradients == 300


@pytest.mark.parametrize("row", measured.ROWS, ids=lambda row: row.name)
def test_a_measured_row_says_what_it_measures(row):
    assert row.measure is not None
    assert not row.tuned
    assert BASELINES[row.name] is row


def test_a_measurement_that_finds_nothing_is_nan(wine):
    flat = wine._replace(functions=wine.functions._replace(loss=lambda *_: jnp.zeros(())))
    assert np.isnan(measured.curvature(1.0, flat, SEEDS, KEY).rate).all()
    assert np.isnan(measured.suggested(flat, SEEDS, KEY).rate).all()
