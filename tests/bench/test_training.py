"""The loop that users of optax write: its rates step by step, its networks those of the engine."""

import jax
import numpy as np
import pytest

import psi
from psi.bench.baselines import BASELINES, SCHEDULES
from psi.bench.training import Peak, train, with_law, with_schedule
from psi.lab.engine.policy import law_policy, measured_policy, trajectory
from psi.lab.engine.population import population
from psi.lab.engine.probe import initial_grad_norms
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task
from psi.law.clock import Clock
from tests.bench.cases import law

KEY = jax.random.key(4)
EPOCHS, SEEDS = 5, np.arange(2)
LAW = law("0.3*(1 - progress)")


@pytest.fixture(scope="module")
def wine():
    return make_task("wine", Hyper(EPOCHS))


@pytest.fixture(scope="module")
def plain(wine):
    """Trains the plain schedules from one peak: one program for all tests."""
    steps = wine.facts.steps * wine.facts.epochs
    by_steps = [each.by_step for each in BASELINES if each.by_step]

    def make(lane):
        return with_schedule(wine.functions.optimizer, by_steps, steps, lane)

    return lambda peak: train(wine, make, Peak(np.arange(3), np.full(3, peak)), SEEDS, KEY)


def test_plain_schedules_step_by_step(wine, plain):
    peak = 0.2
    curves = plain(peak)
    assert curves.rate.shape == (3, 2, EPOCHS)
    last = np.arange(1, EPOCHS + 1) * wine.facts.steps - 1  # last step of each epoch
    t = last / (EPOCHS * wine.facts.steps)
    expected = {
        "constant": np.full(EPOCHS, peak),
        "linear": peak * (1 - t),
        "cosine": peak * (1 + np.cos(np.pi * t)) / 2,
    }
    for number, name in enumerate(SCHEDULES):
        np.testing.assert_allclose(curves.rate[number, 0], expected[name], rtol=1e-5)


def test_the_loop_and_the_engine_train_alike(wine, plain):
    """The same network by two roads: optax adapter in a user's loop, policy in the engine."""
    loop = train(wine, lambda _: with_law(LAW, wine), np.zeros(1), SEEDS, KEY)
    policy = population(wine, lambda _: law_policy(LAW, EPOCHS), np.zeros(1), SEEDS, KEY)
    np.testing.assert_allclose(loop.rate, policy.lr, rtol=1e-6)
    np.testing.assert_allclose(loop.val_loss, policy.val_loss, rtol=2e-4)
    fixed = population(wine, trajectory, np.full((1, EPOCHS), 0.1, np.float32), SEEDS, KEY)
    constant = SCHEDULES.index("constant")
    np.testing.assert_allclose(plain(0.1).train_loss[constant], fixed.loss_next[0], rtol=2e-4)


@pytest.mark.parametrize("name", ["wine", "moons-0"])
def test_a_law_of_facts_is_told_the_same_by_both_roads(name):
    """Of fixed rows, and of a stream."""
    task, facts_law = make_task(name, Hyper(EPOCHS)), psi.load("sgd")
    loop = train(task, lambda _: with_law(facts_law, task), np.zeros(1), SEEDS, KEY)
    first = initial_grad_norms(task, SEEDS, KEY)[:, None]
    made = lambda own: measured_policy(Clock(facts_law, EPOCHS), own)  # noqa: E731
    policy = population(task, made, first, SEEDS, KEY, by_seed=True)
    np.testing.assert_allclose(loop.rate, policy.lr, rtol=1e-5)
