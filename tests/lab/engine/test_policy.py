"""A law in the engine remembers and answers as the clock does in a scheduler."""

import jax
import numpy as np

from psi.lab.engine.policy import law_policy
from psi.lab.engine.population import population
from psi.lab.engine.work import Layout
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task
from psi.law.clock import Clock, observe, start, tick
from tests.law.conftest import LAWS

EPOCHS = 8


def test_the_engine_s_rates_are_the_clock_s_on_the_losses_that_it_saw():
    law, seeds = LAWS["feedback"](), np.arange(3)
    task = make_task("wine", Hyper(EPOCHS, optimizer="adam"))
    policy = lambda _: law_policy(law, EPOCHS)  # noqa: E731
    runs = population(task, policy, np.zeros(1), seeds, jax.random.key(0), Layout(1, 3))
    for seed in seeds:
        seen = [np.asarray(a[0, seed], float) for a in (runs.loss_running, runs.val_loss)]
        clock = Clock(law, EPOCHS, float(seen[0][0]))
        states = [start(clock, np)]
        for i in range(1, EPOCHS):
            states.append(tick(clock, observe(states[-1], seen[0][i]), np, seen[1][i - 1]))
        wanted = [float(state.learning_rate) for state in states]
        np.testing.assert_allclose(runs.lr[0, seed], wanted, rtol=2e-4)
        assert np.ptp([float(state.memory.feedback) for state in states]) > 0.1
