"""Baselines as rows: the plain schedules' rates in closed form, and one that a user adds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.bench.baselines import BASELINES, SCHEDULES, Baseline, plain_rates, schedules
from psi.lab.engine.policy import trajectory
from psi.law.features import Observation

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
lr_scheduler = torch.optim.lr_scheduler

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


def torch_rates(make, epochs, skip=0):
    """The rates of a scheduler of torch or transformers that begins at 0.4."""
    optimizer = torch.optim.SGD([torch.zeros(1)], 0.4)
    scheduler = make(optimizer)
    rates = []
    for _ in range(skip + epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates[skip:]


def one_cycle(optimizer, length):
    """By torch's count the first step is number 0 and the last, T, is the end of the cycle."""
    return lr_scheduler.OneCycleLR(optimizer, 0.4, total_steps=length + 1, cycle_momentum=False)


# Row, budget, the reference, steps of it to skip: transformers warms up from 0, W + 1 steps long.
REFERENCES = [
    ("exponential", 7, lambda o: lr_scheduler.ExponentialLR(o, 0.01 ** (1 / 7)), 0),
    ("step", 8, lambda o: lr_scheduler.MultiStepLR(o, [4, 6]), 0),
    ("step", 7, lambda o: lr_scheduler.MultiStepLR(o, [4, 6]), 0),
    ("inverse_sqrt", 8, lambda o: transformers.get_inverse_sqrt_schedule(o, 0, 1), 0),
    ("inverse_time", 8, lambda o: lr_scheduler.LambdaLR(o, lambda i: 1 / (1 + i)), 0),
    ("polynomial_0.9", 8, lambda o: lr_scheduler.PolynomialLR(o, 8, 0.9), 0),
    ("polynomial_2", 5, lambda o: lr_scheduler.PolynomialLR(o, 5, 2), 0),
    ("warmup_cosine", 20, lambda o: transformers.get_cosine_schedule_with_warmup(o, 3, 21), 1),
    ("warmup_cosine", 5, lambda o: transformers.get_cosine_schedule_with_warmup(o, 2, 6), 1),
    (
        "warmup_stable_decay",
        20,
        lambda o: transformers.get_wsd_schedule(o, 3, 4, 21, decay_type="1-sqrt"),
        1,
    ),
    ("one_cycle", 19, lambda o: one_cycle(o, 19), 0),
    ("warm_restarts", 14, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2), 0),
]


def rates_of(name, epochs, peak=0.4):
    policy = BASELINES[name].make(jnp.asarray(peak), epochs)
    start = Observation(*[jnp.asarray(1.0)] * len(Observation._fields))
    seen = [start._replace(epoch=jnp.asarray(i)) for i in range(epochs)]
    return np.array([policy.step(policy.init(each), each)[1] for each in seen])


@pytest.mark.parametrize(("name", "epochs", "make", "skip"), REFERENCES)
def test_a_schedule_is_that_of_torch_or_transformers(name, epochs, make, skip):
    expected = torch_rates(make, epochs, skip)
    np.testing.assert_allclose(rates_of(name, epochs), expected, rtol=1e-5, atol=1e-6)


SHORT = {  # by hand; a budget of one epoch is spent at the peak
    "exponential": ([1, 0.1], [1, 0.01 ** (1 / 3), 0.01 ** (2 / 3)]),
    "step": ([1, 0.1], [1, 1, 0.1]),
    "inverse_sqrt": ([1, 2**-0.5], [1, 2**-0.5, 3**-0.5]),
    "inverse_time": ([1, 1 / 2], [1, 1 / 2, 1 / 3]),
    "polynomial_0.9": ([1, 0.5**0.9], [1, (2 / 3) ** 0.9, (1 / 3) ** 0.9]),
    "polynomial_2": ([1, 0.25], [1, 4 / 9, 1 / 9]),
    "warmup_cosine": ([1, 0.5], [1, 0.75, 0.25]),
    "warmup_stable_decay": ([1, 1 - 0.5**0.5], [1, 1, 1 - 0.5**0.5]),
    "one_cycle": ([1, 0.5], [1, 0.75, 0.25]),
    "warm_restarts": ([1, 1], [1, 1, 0.5]),
}


def test_every_schedule_has_its_rates_by_hand():
    assert {*SHORT, *SCHEDULES} == {row.name for row in schedules.ROWS}


@pytest.mark.parametrize("name", SHORT)
def test_short_budgets_make_sense(name):
    for epochs, expected in enumerate(([1], *SHORT[name]), 1):
        np.testing.assert_allclose(rates_of(name, epochs, 1.0), expected, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("name", [row.name for row in BASELINES if row.by_step])
def test_the_peak_is_the_highest_rate(name):
    """By epoch and by step: 20 epochs of 50 steps meet it within the rounding of a cosine."""
    rates = rates_of(name, 20)
    by_step = BASELINES[name].by_step
    assert by_step is not None
    steps = jax.vmap(by_step(0.4, 1000))(jnp.arange(1000))
    for each in rates, np.asarray(steps):
        assert 0 <= each.min() <= each.max() <= 0.4 * (1 + 1e-6)
        np.testing.assert_allclose(each.max(), 0.4, rtol=1e-6)


def test_past_the_assumed_budget_a_schedule_stays_where_it_ended():
    np.testing.assert_allclose(plain_rates("linear", T, 0.5), [1, 0.5, 0, 0])
    np.testing.assert_allclose(plain_rates("linear", T, 2.0), [1, 0.875, 0.75, 0.625])


def test_a_name_means_one_baseline():
    def make(peak, budget):
        return trajectory(jnp.full(budget, peak))

    with pytest.raises(ValueError, match="another baseline called 'linear'"):
        BASELINES.add(Baseline("linear", make))
    with pytest.raises(ValueError, match="unknown baseline 'flat'"):
        BASELINES["flat"]
