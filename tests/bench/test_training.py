"""The loop that users of optax write: its rates step by step, its networks those of the engine."""

import jax
import numpy as np
import pytest

from psi.bench.baselines import BASELINES, SCHEDULES
from psi.bench.training import Peak, train, with_law, with_schedule
from psi.lab.engine.policy import law_policy, trajectory
from psi.lab.engine.population import population
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task
from tests.bench.cases import law

KEY = jax.random.key(4)
EPOCHS = 5
LAW = law("0.3*(1 - progress)")


@pytest.fixture(scope="module")
def wine():
    return make_task("wine", Hyper(EPOCHS))


def plain(task):
    steps = task.facts.steps * task.facts.epochs
    by_steps = [each.by_step for each in BASELINES if each.by_step]
    return lambda lane: with_schedule(task.functions.optimizer, by_steps, steps, lane)


def test_plain_schedules_step_by_step(wine):
    peak, numbers = 0.2, np.arange(3)
    curves = train(wine, plain(wine), Peak(numbers, np.full(3, peak)), np.arange(2), KEY)
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


def test_the_loop_and_the_engine_train_alike(wine):
    """The same network by two roads: optax adapter in a user's loop, policy in the engine."""
    seeds = np.arange(3)
    loop = train(wine, lambda _: with_law(LAW, wine), np.zeros(1), seeds, KEY)
    policy = population(wine, lambda _: law_policy(LAW, EPOCHS), np.zeros(1), seeds, KEY)
    np.testing.assert_allclose(loop.rate, policy.lr, rtol=1e-6)
    np.testing.assert_allclose(loop.val_loss, policy.val_loss, rtol=2e-4)
    constant = train(wine, plain(wine), Peak(np.zeros(1, int), np.full(1, 0.1)), seeds, KEY)
    fixed = population(wine, trajectory, np.full((1, EPOCHS), 0.1, np.float32), seeds, KEY)
    np.testing.assert_allclose(constant.train_loss, fixed.loss_next, rtol=2e-4)
