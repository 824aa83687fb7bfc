"""A name is for ever the same task, and what a task declares is what it holds."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.lab.hyper import Hyper
from psi.lab.tasks.families import FAMILIES, SEALED_FAMILIES
from psi.lab.tasks.names import DATASET_NAMES, FAMILY_NAMES, SEALED_FAMILY_NAMES
from psi.lab.tasks.real import DATASETS
from psi.lab.tasks.table import make_task

NAMES = (
    "breast_cancer", "diabetes", "digits", "iris", "wine", "gaussian_mixture-3",
    "ill_conditioned-2", "moons-4", "teacher-1", "teacher-1-fixed", "moons-2-fixed",
)  # fmt: skip
FIRST = jnp.asarray(0)
made = cache(lambda name: make_task(name, Hyper(epochs=3)))


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_true(name):
    task = made(name)
    facts, train = task.facts, task.splits.train
    params = task.init(jax.random.key(0))
    batches = task.functions.epoch(task.arrays, jax.random.key(1), FIRST)
    assert task.name == name
    assert facts.domain == name.split("-")[0]
    assert facts.parameters == sum(leaf.size for leaf in jax.tree.leaves(params))
    assert batches.x.shape == (facts.steps, facts.batch, facts.inputs)
    assert batches.y.shape == (facts.steps, facts.batch)
    assert train.x.shape[1] == facts.inputs
    assert facts.stream == ("-" in name and "fixed" not in name)
    if facts.stream:
        assert facts.rows == facts.batch * facts.steps * facts.epochs
    else:
        assert facts.rows == len(train.y) >= facts.batch * facts.steps
    if facts.classes:
        assert int(train.y.max()) == facts.classes - 1
        assert 0 <= facts.floor < facts.chance_loss <= np.log(facts.classes) * 1.1
    else:
        assert 0 <= facts.floor < facts.chance_loss


@pytest.mark.parametrize("name", NAMES)
def test_loss_and_accuracy_against_numpy_in_float64(name):
    task = made(name)
    params = task.init(jax.random.key(3))
    x, y = (np.asarray(a) for a in task.splits.validation[:2])
    h = x.astype(np.float64)
    for number, layer in enumerate(params):
        weights, bias = (np.asarray(a, np.float64) for a in layer)
        h = (np.maximum(h, 0) if number else h) @ weights.T + bias
    if task.facts.classes:
        h -= h.max(1, keepdims=True)
        log_p = h - np.log(np.exp(h).sum(1, keepdims=True))
        expected = -log_p[np.arange(len(y)), y].mean()
        right = (h.argmax(1) == y).mean()
    else:
        expected = ((h[:, 0] - y) ** 2).mean() / 2
        right = 1 - ((h[:, 0] - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    batch = task.splits.validation
    np.testing.assert_allclose(task.loss(params, batch), expected, rtol=3e-6)
    accuracy = task.functions.accuracy(task.arrays, params, batch)
    np.testing.assert_allclose(accuracy, right, rtol=1e-5)


def test_hyperparameters_reach_the_task():
    task = make_task("wine", Hyper(7, "adam", batch=24, width=5, depth=2, init_scale=0.5))
    facts = task.facts
    assert (facts.epochs, facts.optimizer, facts.batch, facts.steps) == (7, "adam", 24, 4)
    assert facts.parameters == 13 * 5 + 5 + 5 * 5 + 5 + 5 * 3 + 3
    full = make_task("wine", replace(Hyper(), width=5, depth=2)).init(jax.random.key(0))
    half = task.init(jax.random.key(0))
    np.testing.assert_allclose(half[0][0], 0.5 * full[0][0], rtol=1e-6)


def test_the_names_that_may_be_asked_for_are_those_that_exist():
    assert {name for name, _ in DATASETS} | {"pydoc"} == set(DATASET_NAMES)
    assert tuple(name for name, _ in FAMILIES) == FAMILY_NAMES
    assert tuple(name for name, _ in SEALED_FAMILIES) == SEALED_FAMILY_NAMES
