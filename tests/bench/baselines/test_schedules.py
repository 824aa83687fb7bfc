"""Baselines as rows: the plain schedules' rates in closed form, and one that a user adds."""

import jax.numpy as jnp
import numpy as np
import pytest

from psi.bench.baselines import BASELINES, SCHEDULES, Baseline, plain_rates
from psi.lab.engine.policy import trajectory
from psi.law.features import Observation

T = 4
SHAPES = {
    "constant": [1, 1, 1, 1],
    "linear": [1, 0.75, 0.5, 0.25],
    "cosine": [1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5],
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_plain_schedule_is_its_peak_times_its_shape(name):
    np.testing.assert_allclose(plain_rates(name, T), SHAPES[name], atol=1e-12)
    policy = BASELINES[name].make(jnp.asarray(0.4), T)
    start = Observation(*[jnp.asarray(1.0)] * len(Observation._fields))
    seen = [start._replace(epoch=jnp.asarray(i)) for i in range(T)]
    rates = [policy.step(policy.init(each), each)[1] for each in seen]
    np.testing.assert_allclose(rates, 0.4 * np.array(SHAPES[name]), rtol=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_by_step_it_is_the_same_schedule(name):
    """At the first step of every epoch, a thousand steps each."""
    by_step = BASELINES[name].by_step
    assert by_step is not None
    schedule = by_step(0.4, 1000 * T)
    rates = np.array([schedule(1000 * i) for i in range(T)])
    np.testing.assert_allclose(rates, 0.4 * plain_rates(name, T), rtol=1e-5)


def test_past_the_assumed_budget_a_schedule_stays_where_it_ended():
    np.testing.assert_allclose(plain_rates("linear", T, 0.5), [1, 0.5, 0, 0])
    np.testing.assert_allclose(plain_rates("linear", T, 2.0), [1, 0.875, 0.75, 0.625])


def test_a_name_means_one_baseline():
    def make(peak, budget):
        return trajectory(jnp.full(budget, peak))

    with pytest.raises(ValueError, match="another baseline called 'linear'"):
        BASELINES.add(Baseline("linear", make))
    with pytest.raises(ValueError, match="unknown baseline 'plateau'"):
        BASELINES["plateau"]
