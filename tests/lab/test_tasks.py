"""Tasks: what they declare is what they hold, and a name is for ever the same task."""

import jax
import numpy as np
import pytest

from psi.lab.build import fixed_task
from psi.lab.config import DATASET_NAMES, FAMILY_NAMES, Hyper
from psi.lab.networks import mlp
from psi.lab.task import Batch, Splits
from psi.lab.tasks.families import (
    FAMILIES,
    family_task,
    mixture_posterior,
    teacher_posterior,
)
from psi.lab.tasks.real import DATASETS
from psi.lab.tasks.table import make_task

NAMES = ("breast_cancer", "digits", "wine", "gaussian_mixture-3", "teacher-1")


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_true(name):
    task = make_task(name, epochs=3)
    facts, train = task.facts, task.splits.train
    params = task.functions.init(jax.random.key(0))
    batches = task.functions.epoch(task.source, jax.random.key(1))
    assert task.name == name
    assert facts.parameters == sum(leaf.size for leaf in jax.tree.leaves(params))
    assert batches.x.shape == (facts.steps, facts.batch, facts.inputs)
    assert batches.y.shape == (facts.steps, facts.batch)
    assert train.x.shape[1] == facts.inputs
    assert int(train.y.max()) < facts.classes
    assert facts.rows == facts.batch * facts.steps * (facts.epochs if facts.stream else 1)
    assert 0 <= facts.floor < facts.chance_loss <= np.log(facts.classes) * 1.1


@pytest.mark.parametrize("name", NAMES)
def test_loss_and_accuracy_against_numpy_in_float64(name):
    task = make_task(name, epochs=1)
    params = task.functions.init(jax.random.key(3))
    (w1, b1), (w2, b2) = [tuple(np.asarray(a, np.float64) for a in layer) for layer in params]
    x, y = (np.asarray(a) for a in task.splits.validation)
    logits = np.maximum(x.astype(np.float64) @ w1 + b1, 0) @ w2 + b2
    logits -= logits.max(1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    loss = task.functions.loss(params, task.splits.validation)
    accuracy = task.functions.accuracy(params, task.splits.validation)
    np.testing.assert_allclose(loss, -log_p[np.arange(len(y)), y].mean(), rtol=2e-6)
    np.testing.assert_allclose(accuracy, (logits.argmax(1) == y).mean(), rtol=1e-6)


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "wine"])
def test_real_data_are_split_without_overlap_and_standardised_on_the_training_part(name):
    splits = make_task(name).splits
    train = np.asarray(splits.train.x)
    unclipped = (np.abs(train) < 5).all(0)
    np.testing.assert_allclose(train.mean(0)[unclipped], 0, atol=1e-5)
    deviation = train.std(0)[unclipped]
    assert np.all((np.abs(deviation - 1) < 1e-4) | (deviation == 0))
    assert sum(len(part.y) for part in splits) == {
        "breast_cancer": 569, "digits": 1797, "wine": 178}[name]  # fmt: skip
    rows = [{row.tobytes() for row in np.asarray(part.x)} for part in splits]
    assert len(rows[0] | rows[1] | rows[2]) == sum(map(len, rows))


def test_an_epoch_passes_over_each_row_once():
    task = make_task("wine")
    batches = task.functions.epoch(task.source, jax.random.key(0))
    seen = np.asarray(batches.x).reshape(-1, task.facts.inputs)
    assert {row.tobytes() for row in seen} == {
        row.tobytes() for row in np.asarray(task.splits.train.x)
    }


@pytest.mark.parametrize(("name", "family"), FAMILIES)
def test_stream_labels_follow_the_posterior(name, family):
    """Calibration: the mean of p(y = c | x) is the frequency of c. z < 4.5 for 4 classes,
    false alarm < 3e-5 were the seed not fixed."""
    source = stream_task(name, 5, 1, "sgd").source
    batch = sample(family, 20_000, source, jax.random.key(9))
    p = np.exp(np.asarray(family.posterior(source, batch.x), np.float64))
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    count = np.bincount(np.asarray(batch.y), minlength=p.shape[1])
    z = (count - p.sum(0)) / np.sqrt((p * (1 - p)).sum(0))
    assert np.abs(z).max() < 4.5
    entropy = -(p * np.log(p)).sum(1).mean()
    np.testing.assert_allclose(bayes_loss(family, source, batch), entropy, atol=0.02)


def test_draws_share_functions_and_differ_in_data():
    one, other = make_task("teacher-0"), make_task("teacher-1")
    assert one.functions == other.functions
    assert one.facts.floor != other.facts.floor
    again = make_task("teacher-0")
    np.testing.assert_array_equal(one.splits.train.x, again.splits.train.x)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("cifar",), "cifar"),
        (("teacher-x",), "teacher-x"),
        (("teacher-",), "teacher-"),
        (("wine", 0), "got 0"),
        (("wine", -3), "got -3"),
        (("wine", 5, "lion"), "lion"),
    ],
)
def test_mistakes_are_named(arguments, word):
    with pytest.raises(ValueError, match=word):
        make_task(*arguments)


def test_the_names_that_may_be_asked_for_are_those_that_exist():
    assert tuple(name for name, _ in DATASETS) == DATASET_NAMES
    assert tuple(name for name, _ in FAMILIES) == FAMILY_NAMES
    assert all(optimizer(name) for name in OPTIMIZERS)
