"""L* of texts: what a longer budget comes to, overfitting or not."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from psi.bench.baselines import plain_rates
from psi.bench.tuning import LONGER, longer_floor
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.hyper import Hyper
from psi.lab.networks.table import network
from psi.lab.tasks.build import fixed_task
from psi.lab.tasks.task import Batch, Splits

HYPER = Hyper(epochs=3, batch=8, width=16, network="gru")
SEEDS = np.arange(2)


@pytest.fixture(scope="module")
def overfitting():
    """A task of tokens that nothing can be learnt of, and the validation losses of a long run."""
    tokens = np.random.default_rng(0).integers(0, 5, (3, 2, 16, 4)).astype(np.int32)
    parts = [Batch(*part) for part in tokens]
    model = network(HYPER, 5, 5, window=4)
    task = fixed_task("noise", model, Splits(*parts), HYPER, 5, domain="noise")
    long = task._replace(facts=replace(task.facts, epochs=LONGER * HYPER.epochs))
    lanes = np.outer([0.5, 1.0], plain_rates("linear", long.facts.epochs))
    runs = population(long, trajectory, lanes, SEEDS, jax.random.key(1), keep=("val_loss",))
    return task, np.asarray(runs.val_loss).mean(1)


def test_it_is_the_lowest_end_of_the_longer_runs(overfitting):
    task, losses = overfitting
    found = longer_floor(task, np.array([0.5, 1.0]), 9.0, jax.random.key(1), SEEDS)
    assert found == pytest.approx(losses[:, -1].min(), rel=1e-5)


def test_where_these_overfit_it_is_the_lowest_loss_on_their_way(overfitting):
    task, losses = overfitting
    reached = float(losses.min()) + 1e-3
    assert losses[:, -1].min() > reached
    found = longer_floor(task, np.array([0.5, 1.0]), reached, jax.random.key(1), SEEDS)
    assert found == pytest.approx(losses.min(), rel=1e-5)
    # A short run that was better than all of the longer ones.
    below = float(losses.min()) - 1e-2
    assert longer_floor(task, np.array([0.5, 1.0]), below, jax.random.key(1), SEEDS) == below
