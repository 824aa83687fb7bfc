"""Measures of a method's trainings, against values worked out by hand."""

import numpy as np
import pytest

from psi.bench.measures import Entry, epochs_to, regret, result
from psi.bench.training import Curves
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task


@pytest.fixture(scope="module")
def facts():
    return make_task("wine", Hyper(5)).facts


def made_up(losses, facts, seeds=None):
    losses = np.asarray(losses)[:, None]
    curves = Curves(losses, losses, losses, np.clip(1 - losses, 0, 1), losses)
    seeds = np.arange(len(losses)) if seeds is None else seeds
    return result(Entry("x"), seeds, curves, facts, 0.25)


def test_epochs_to_the_criterion():
    loss = np.array([1.0, 0.5, 0.3, 0.4])
    assert epochs_to(loss, 0.5) == 2
    assert epochs_to(loss, 1.0) == 1
    assert epochs_to(loss, 0.1) is None
    assert epochs_to(np.array([np.nan, 0.2]), 0.3) == 2


def test_a_diverged_seed_is_reported_and_capped(facts):
    row = made_up([0.2, np.nan, 0.3], facts)
    assert row.final_val_losses == [0.2, None, 0.3]
    assert row.epochs_to_criterion == [1, None, None]
    mean = (0.2 + 2 * facts.chance_loss + 0.3) / 3
    assert row.score == pytest.approx(np.log(mean + 0.01 * facts.chance_loss))


def test_regret_is_paired(facts):
    """A constant factor between two methods whose seeds differ widely: the interval is narrow."""
    rng = np.random.default_rng(0)
    base = np.exp(rng.normal(-2, 0.8, 10))
    one, other = made_up(0.9 * base, facts), made_up(base, facts)
    difference = regret(one, other, facts)
    assert difference.low <= difference.mean <= difference.high < 0
    assert difference.high - difference.low < 0.05
    assert regret(one, one, facts) == (0, 0, 0)
    with pytest.raises(ValueError, match="same seeds"):
        regret(one, made_up(base, facts, seeds=np.arange(1, 11)), facts)
