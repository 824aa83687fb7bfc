"""A receding horizon: greedy where H = 1, and a rate that stays where the target moves."""

import jax
import numpy as np
import pytest

from psi.ideal.branched import Branching
from psi.ideal.continuation import CONSTANT
from psi.ideal.receding import recede
from psi.lab.engine.branch import starts
from psi.lab.hyper import Hyper
from psi.lab.tasks.closed_forms import drift_rate
from psi.lab.tasks.noisy_problems import Drift, NoisyQuadratic
from psi.lab.tasks.table import make_task
from tests.lab.tasks.exact import greedy_rates

KEY = jax.random.key(5)
ONE_STEP = Branching(1, CONSTANT, orders=0, rounds=2)


def numbers(task):
    return NoisyQuadratic(*(np.asarray(a, float) for a in task.arrays))


def test_a_receding_horizon_of_one_is_greedy_and_ends_where_greedy_ends():
    """G4 in small: 8,192 runs, 20 steps; false alarm below 1e-4 at 5 %."""
    task = make_task("noisy_quadratic_3d", Hyper(epochs=20))
    states = starts(task, np.arange(8192), KEY)
    found = recede(task, states, np.geomspace(0.01, 0.2, 7), ONE_STEP, KEY)
    np.testing.assert_allclose(found.rates, greedy_rates(numbers(task), 20), rtol=0.05)
    assert list(found.ideal.epoch) == list(range(20))
    assert len(found.loss) == 21


@pytest.mark.slow
def test_a_moving_target_wants_a_rate_that_stays():
    """G6: after 25 steps within 5 % of Kalman's gain."""
    task = make_task("drift", Hyper(epochs=25))
    states = starts(task, np.arange(8192), KEY)
    found = recede(task, states, np.geomspace(0.05, 1.0, 8), ONE_STEP, KEY)
    truth = drift_rate(Drift(*(float(a) for a in task.arrays)))
    assert found.rates[15:].mean() == pytest.approx(truth, rel=0.05)
