"""What every baseline holds to, over the whole table."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from psi.bench.baselines import BASELINES, Baseline, entered
from psi.bench.baselines.baseline import DEFAULT_RATES
from psi.bench.running import Lane, together
from psi.lab.engine.policy import Policy, trajectory
from psi.lab.engine.population import population
from psi.lab.engine.work import Layout
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

KEY = jax.random.key(0)
T = 4
SHAPE = Layout(2, 2)  # no padding
HOUSE = BASELINES.names  # before other tests add rows of their own
SEES = {"parameters", "epoch", "loss", "validation", "gradients", "curvature"}
TRAINABLE = [name for name in HOUSE if BASELINES[name].plan is None]
"""Rows with a policy for any one rate; those that plan are in test_searching.py."""
# Rows that train the task as it is share one compiled program; the others have one each.
SHARED = [
    row.name
    for row in map(BASELINES.__getitem__, TRAINABLE)
    if row.optimizer is None and row.evaluated is None and not row.full_batch
]
QUICK = ("prodigy", "schedule_free_sgd", "lbfgs")
TRAINED = [
    name if name in (*SHARED, *QUICK) else pytest.param(name, marks=pytest.mark.slow)
    for name in TRAINABLE
]
POLICIES = {name: (lambda rate, name=name: BASELINES[name].make(rate, T)) for name in TRAINABLE}


@pytest.fixture(scope="module")
def wine():
    return make_task("wine", Hyper(epochs=T, width=4))


def trained(task, name, rates):
    lanes = np.asarray(rates, np.float32)
    if name in SHARED:
        no_plan = np.zeros((len(lanes), T), np.float32)
        lanes = Lane(np.full(len(lanes), SHARED.index(name)), lanes, no_plan)
        policy = together(tuple(BASELINES[each] for each in SHARED), T)
        return population(task, policy, lanes, np.arange(2), KEY, SHAPE)
    task = entered(task, BASELINES[name])
    return population(task, POLICIES[name], lanes, np.arange(2), KEY, SHAPE)


@pytest.mark.parametrize("name", TRAINED)
def test_it_trains_at_its_default_rate_and_twice_alike(wine, name):
    row = BASELINES[name]
    rate = row.default_rate("sgd")
    runs, again = (trained(wine, name, [rate, rate]) for _ in range(2))
    assert np.isfinite(runs.lr).all()
    assert (runs.lr >= 0).all()
    assert np.isfinite(runs.val_loss).all()
    assert not np.array_equal(runs.val_loss[:, :, 0], runs.val_loss[:, :, -1])  # it moves
    np.testing.assert_array_equal(runs.val_loss, again.val_loss)
    np.testing.assert_array_equal(runs.val_loss[0], runs.val_loss[1])  # lanes do not meet


@pytest.mark.parametrize("name", HOUSE)
def test_it_says_what_it_is(name):
    row = BASELINES[name]
    assert row.formula
    assert row.source
    assert row.sees
    assert set(row.sees) <= SEES
    assert row.default_rate("adam") > 0


@pytest.mark.parametrize("name", TRAINED)
def test_a_run_that_diverges_is_data(wine, name):
    """At a rate at which nothing trains, rates and losses come back all the same."""
    runs = trained(wine, name, [1e12, BASELINES[name].default_rate("sgd")])
    assert runs.val_loss.shape == (2, 2, T)
    assert np.isfinite(runs.val_loss[1]).all()


def test_what_it_enters_is_the_same_object_every_time(wine):
    made = []

    def own():
        made.append(1)
        return optax.identity()

    row = Baseline("own", lambda rate, budget: trajectory(jnp.full(budget, rate)), optimizer=own)
    row = row._replace(full_batch=True)
    one, two = entered(wine, row), entered(wine, row)
    assert one.functions == two.functions
    assert len(made) == 1
    batches = one.functions.epoch(one.arrays, KEY, jnp.asarray(0))
    several = wine.functions.epoch(wine.arrays, KEY, jnp.asarray(0))
    np.testing.assert_array_equal(batches.x[0], several.x.reshape(-1, several.x.shape[-1]))


def test_losses_are_those_of_the_parameters_that_count(wine):
    """Where all parameters count as 0, the logits do and the loss is log 3."""
    zero = Baseline(
        "zero",
        lambda rate, budget: trajectory(jnp.full(budget, rate)),
        evaluated=lambda _, params: jax.tree.map(jnp.zeros_like, params),
    )
    runs = population(
        entered(wine, zero), lambda rate: zero.make(rate, T), np.array([0.1]), np.arange(1), KEY
    )
    np.testing.assert_allclose(runs.val_loss, np.log(3), rtol=1e-6)
    assert runs.grad_norm.min() > 0


def test_an_optimizer_without_a_default_rate_is_a_mistake():
    row = Baseline("none", lambda rate, budget: trajectory(jnp.full(budget, rate)))
    assert row.default_rate("adam") == DEFAULT_RATES["adam"]
    with pytest.raises(ValueError, match="default rate for sgd, momentum, adam, got 'lion'"):
        row.default_rate("lion")


def test_a_policy_sees_the_validation_loss_before_its_epoch(wine):
    """A rate of v_i/100 says what it saw: the loss after the epoch before."""

    def watching(rate):
        return Policy(lambda _: (), lambda state, seen: (state, rate * seen.val_loss))

    runs = population(wine, watching, np.array([0.01], np.float32), np.arange(2), KEY, SHAPE)
    np.testing.assert_allclose(runs.lr[..., 1:], 0.01 * runs.val_loss[..., :-1], rtol=1e-6)
