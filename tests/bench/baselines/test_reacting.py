"""Rules that react to a run: on streams of losses, beside torch, transformers and formulas."""

import math
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

from psi.bench.baselines import BASELINES, reacting
from psi.law.features import Observation

torch = pytest.importorskip("torch")
ReduceLROnPlateau = torch.optim.lr_scheduler.ReduceLROnPlateau
GreedyLR = pytest.importorskip("transformers.optimization").GreedyLR

RATE = 0.4
NAMES = [row.name for row in reacting.ROWS]
NONE = Observation(*[jnp.asarray(1.0)] * len(Observation._fields))


def walk(seed, epochs=40):
    """Losses in nats that fall at first, then slowly rise; the first is before any epoch."""
    rng = np.random.default_rng(seed)
    falls = rng.normal(np.where(np.arange(epochs) < epochs / 3, 0.05, -0.01), 0.05)
    return np.exp(-np.cumsum(falls)).astype(np.float32)


def rates_of(policy, **columns):
    """The rates of a policy that sees these columns, the first row before epoch 0."""
    names, rows = list(columns), np.array(list(columns.values()), np.float32).T
    state, rates = None, []
    for i, row in enumerate(rows):
        values = dict(zip(names, map(jnp.asarray, row), strict=True))
        seen = NONE._replace(epoch=jnp.asarray(i), **values)
        state = policy.init(seen) if state is None else state
        state, rate = policy.step(state, seen)
        rates.append(float(rate))
    return np.array(rates)


def scheduled(make, losses):
    """Rates of a scheduler that is told every loss but that before epoch 0."""
    optimizer = torch.optim.SGD([torch.zeros(1)], RATE)
    scheduler = make(optimizer)
    rates = [RATE]
    for loss in losses[1:]:
        scheduler.step(float(loss))
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def by_hand(rule, losses):
    rates, memory = [RATE], {"last": losses[0], "first": losses[0]}
    for loss in losses[1:].astype(float):
        rates.append(rule(rates[-1], loss, memory))
        memory["last"] = loss
    return rates


def bold(rate, loss, memory):
    return 1.05 * rate if loss < memory["last"] else 0.5 * rate


LIBRARY = {
    "reduce_on_plateau": ReduceLROnPlateau,
    "reduce_on_plateau_5": partial(ReduceLROnPlateau, factor=0.2, patience=5),
    "step_when_stopped": partial(ReduceLROnPlateau, patience=2, threshold=0.0),
    "greedy": partial(GreedyLR, patience=0),
}
REFERENCES = {name: partial(scheduled, make) for name, make in LIBRARY.items()} | {
    "bold_driver": partial(by_hand, bold),
    "loss_proportional": lambda losses: RATE * losses / losses[0],
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", REFERENCES)
def test_a_rule_is_that_of_its_source(name, seed):
    losses = walk(seed)
    watched = "val_loss" if "validation" in BASELINES[name].sees else "loss"
    columns = {"loss": losses[::-1], watched: losses}  # a rule of v does not look at ε
    rates = rates_of(BASELINES[name].make(jnp.asarray(RATE), 40), **columns)
    expected = np.array(REFERENCES[name](losses))
    near = np.abs(expected) > 2e-7  # torch stops there: it never lowers a rate by less than 1e-8
    np.testing.assert_allclose(rates[near], expected[near], rtol=1e-5)
    assert len(set(rates)) > 1


def test_a_plateau_ends_at_any_patience():
    losses = np.ones(40, np.float32)
    for patience in (0, 1, 10):
        policy = reacting.plateau(0.1, patience, 1e-4, jnp.asarray(RATE), 40)
        expected = np.array(scheduled(partial(ReduceLROnPlateau, patience=patience), losses))
        rates = rates_of(policy, val_loss=losses)
        near = expected > 2e-7
        np.testing.assert_allclose(rates[near], expected[near], rtol=1e-5)
        assert rates[-1] < RATE


@pytest.mark.parametrize("rate", [5e-4, 1.5])
@pytest.mark.parametrize("falling", [True, False])
def test_greedy_at_its_bounds(rate, falling):
    """A rate outside [0.001, 1] is not brought there, as in transformers."""
    losses = np.linspace(2, 1, 12) if falling else np.linspace(1, 2, 12)
    optimizer = torch.optim.SGD([torch.zeros(1)], rate)
    scheduler, expected = GreedyLR(optimizer, patience=2), [rate]
    for loss in losses[1:]:
        scheduler.step(float(loss))
        expected.append(optimizer.param_groups[0]["lr"])
    policy = reacting.greedy(2, jnp.asarray(rate), 12)
    np.testing.assert_allclose(rates_of(policy, val_loss=losses), expected, rtol=1e-5)


def test_the_update_ratio_goes_to_a_thousandth():
    """Where an update is α times something fixed, the ratio is there after one epoch of few off."""
    policy = BASELINES["update_ratio"].make(jnp.asarray(1e-4), 5)
    ratio = np.array([0.0, 1e-5, 1e-4, 2e-3, 0.5])  # before epoch 0 nothing has moved
    rates = rates_of(policy, update_norm=3 * ratio, weight_norm=np.full(5, 3.0))
    np.testing.assert_allclose(rates, [1e-4, 1e-3, 1e-2, 5e-3, 5e-4], rtol=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_finite_is_seen_a_rule_stays(name, bad):
    """What comes after is as if those epochs had not been."""
    losses = walk(1, 12)
    columns = ("loss", "val_loss", "update_norm", "weight_norm")
    policy = BASELINES[name].make(jnp.asarray(RATE), 14)
    rates = rates_of(policy, **dict.fromkeys(columns, losses))
    broken = rates_of(policy, **{c: np.insert(losses, [6, 6], bad) for c in columns})
    np.testing.assert_array_equal(broken, np.insert(rates, [6, 6], rates[5]))


@pytest.mark.parametrize("name", [n for n in NAMES if "validation" in BASELINES[n].sees])
def test_without_a_validation_loss_the_running_loss_is_watched(name):
    losses = walk(2)
    policy = BASELINES[name].make(jnp.asarray(RATE), 40)
    without = rates_of(policy, loss=losses, val_loss=np.full(40, np.nan))
    np.testing.assert_array_equal(without, rates_of(policy, val_loss=losses))


def test_gradients_that_are_zero_leave_the_rate():
    policy = BASELINES["update_ratio"].make(jnp.asarray(RATE), 60)
    assert set(rates_of(policy, update_norm=np.zeros(60))) == {np.float32(RATE)}
