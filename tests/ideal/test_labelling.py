"""Labels of a task in memory: prefixes of its own, and what the surface is made of."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.stats import spearmanr

from psi.ideal.branched import Branching, branch_surface
from psi.ideal.continuation import CONSTANT
from psi.ideal.labelling import Labelling, label_task, labelled_surface, random_prefixes
from psi.lab.engine.branch import along
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

ROOT = jax.random.key(0)
RATES = np.geomspace(0.02, 0.9, 5)
SMALL = Labelling(cells=3, states=8, orders=2, rates=5)


def key_of(number):
    return jax.random.fold_in(ROOT, number)


def test_two_tasks_get_different_prefixes():
    """Same task, keys of two numbers: what is compared differs by nothing but the key."""
    task = make_task("noisy_quadratic", Hyper(epochs=12))
    one, two, again = (random_prefixes(task, 4, 8, key_of(n)) for n in (0, 1, 0))
    assert not np.isclose(one.rates, two.rates).any(1).all()
    np.testing.assert_array_equal(one.rates, again.rates)
    np.testing.assert_array_equal(one.at, [0, 3, 6, 9])
    np.testing.assert_array_equal(one.seeds, 10_000 + np.arange(8))


def test_over_tasks_every_epoch_follows_slow_and_fast_prefixes():
    """Peaks of prefixes do not go with the branch epoch: over 60 tasks the rank correlation of 240
    pairs has a standard error of 0.065."""
    task = make_task("noisy_quadratic", Hyper(epochs=12))
    drawn = [random_prefixes(task, 5, 1, key_of(n)) for n in range(60)]
    at = np.concatenate([each.at[1:] for each in drawn])
    peak = np.concatenate(
        [[r[:i].max() for r, i in zip(each.rates, each.at, strict=True) if i] for each in drawn]
    )
    assert abs(float(spearmanr(at, peak)[0])) < 0.26  # pyright: ignore
    for epoch in np.unique(at):
        assert peak[at == epoch].max() > 20 * peak[at == epoch].min()


def test_the_surface_is_that_of_the_states_along_the_prefixes():
    task = make_task("noisy_quadratic", Hyper(epochs=4))
    prefixes = random_prefixes(task, 2, 8, ROOT)
    branching = Branching(1, CONSTANT, 2)
    found = labelled_surface(task, prefixes, RATES, branching, key_of(1))
    states = along(task, prefixes.rates, prefixes.at, prefixes.seeds, prefixes.key)
    direct = branch_surface(task, states, RATES, branching, key_of(1))
    columns = ["cell", "epoch", "lr", "loss", "final_loss", "score"]
    assert found[columns].equals(direct[columns])


def test_a_target_that_moves_is_branched_along_its_own_orders():
    task = make_task("drift", Hyper(epochs=4))
    prefixes = random_prefixes(task, 2, 8, ROOT)
    surface = labelled_surface(task, prefixes, RATES, Branching(1, CONSTANT, 2), ROOT)
    assert set(surface.runs) == {8}


def test_labels_of_a_task_go_to_the_end_of_its_budget():
    task = make_task("noisy_quadratic", Hyper(epochs=6))
    ideal = label_task(task, SMALL, ROOT)
    assert list(ideal.epoch) == [0, 2, 4]
    assert list(ideal.epoch + ideal.horizon) == [6, 6, 6]
    assert set(ideal.continuation) == {"linear"}
    assert set(ideal.runs) == {16}
    assert label_task(task, SMALL, ROOT).lr.equals(ideal.lr)


def test_every_state_diverged_is_no_label():
    task = make_task("noisy_quadratic", Hyper(epochs=4))
    prefixes = random_prefixes(task, 2, 8, ROOT)
    dead = prefixes._replace(rates=np.full((2, 4), 1e20), at=np.array([2, 2]))
    assert labelled_surface(task, dead, RATES, Branching(1, CONSTANT, 2), ROOT).empty


def test_labellings_that_make_no_sense():
    with pytest.raises(ValueError, match="rates must be >= 3, got 2"):
        replace(SMALL, rates=2)
    with pytest.raises(ValueError, match="states or orders must be >= 2"):
        Labelling(states=1, orders=1)
