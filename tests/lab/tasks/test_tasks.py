"""Tasks: what they declare is what they hold, and a name is for ever the same task."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.lab.hyper import Hyper
from psi.lab.networks.mlp import mlp
from psi.lab.tasks.build import fixed_task
from psi.lab.tasks.families import FAMILIES, family_task, mixture_posterior, teacher_posterior
from psi.lab.tasks.names import DATASET_NAMES, FAMILY_NAMES, check_task
from psi.lab.tasks.real import DATASETS
from psi.lab.tasks.table import make_task
from psi.lab.tasks.task import Batch, Splits

REAL = ("breast_cancer", "diabetes", "digits", "iris", "wine")
NAMES = (
    *REAL, "gaussian_mixture-3", "ill_conditioned-2", "moons-4", "teacher-1", "teacher-1-fixed",
    "moons-2-fixed",
)  # fmt: skip
FIRST = jnp.asarray(0)


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_true(name):
    task = make_task(name, Hyper(epochs=3))
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
    task = make_task(name)
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


@pytest.mark.parametrize("name", REAL)
def test_real_data_are_split_without_overlap_and_standardised_on_the_training_part(name):
    splits = make_task(name).splits
    train = np.asarray(splits.train.x)
    unclipped = (np.abs(train) < 5).all(0)
    np.testing.assert_allclose(train.mean(0)[unclipped], 0, atol=1e-5)
    deviation = train.std(0)[unclipped]
    assert np.all((np.abs(deviation - 1) < 1e-4) | (deviation == 0))
    x, y = dict(DATASETS)[name].load(return_X_y=True)
    assert sum(len(part.y) for part in splits) == len(y)
    rows = [sorted(row.tobytes() for row in np.asarray(part.x)) for part in splits]
    if len(np.unique(x, axis=0)) == len(x):  # iris holds the same flower twice
        assert len({row for part in rows for row in part}) == len(y)


def test_an_epoch_passes_over_each_row_once_in_an_order_of_its_own():
    task = make_task("wine")
    one, other = (
        np.asarray(task.functions.epoch(task.arrays, jax.random.key(0), jnp.asarray(i)).x)
        for i in (0, 1)
    )
    rows = {row.tobytes() for row in np.asarray(task.splits.train.x)}
    for epoch in (one, other):
        assert {row.tobytes() for row in epoch.reshape(-1, task.facts.inputs)} == rows
    assert (one != other).any()


@pytest.mark.parametrize("name", [n for n in FAMILY_NAMES if n != "ill_conditioned"])
def test_stream_labels_follow_the_posterior(name):
    """Calibration: the mean of p(y = c | x) is the frequency of c. z < 4.5 for <= 4 classes,
    false alarm < 3e-5 were the seed not fixed."""
    family, source = dict(FAMILIES)[name], family_task(name, 5, Hyper(1)).arrays
    batch = family.sample(20_000, source, jax.random.key(9))
    posterior = (
        teacher_posterior(source, batch.x)
        if name == "teacher"
        else mixture_posterior(family.classes, source, batch.x)
    )
    p = np.exp(np.asarray(posterior, np.float64))
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    count = np.bincount(np.asarray(batch.y), minlength=p.shape[1])
    z = (count - p.sum(0)) / np.sqrt((p * (1 - p)).sum(0))
    assert np.abs(z).max() < 4.5
    entropy = -(p * np.log(p)).sum(1).mean()
    np.testing.assert_allclose(family.bayes(source, batch, 0.0), entropy, atol=0.02)
    # With smoothed labels the best prediction is the smoothed posterior, and its loss an entropy.
    smoothed = 0.8 * p + 0.2 / p.shape[1]
    entropy = -(smoothed * np.log(smoothed)).sum(1).mean()
    np.testing.assert_allclose(family.bayes(source, batch, 0.2), entropy, atol=0.02)


def test_ill_conditioned_inputs_have_the_declared_variances_and_noise():
    """z < 5 for 17 numbers, false alarm < 1e-5 were the seed not fixed."""
    family, source = dict(FAMILIES)["ill_conditioned"], family_task("ill_conditioned", 3, Hyper())
    source, rows = source.arrays, 40_000
    batch = family.sample(rows, source, jax.random.key(2))
    ratio = np.asarray(batch.x).var(0) / np.asarray(source.deviation) ** 2
    assert np.abs(ratio - 1).max() < 5 * np.sqrt(2 / rows)
    noise = float(family.bayes(source, batch, 0.0)) * 2 / float(source.noise) ** 2
    assert abs(noise - 1) < 5 * np.sqrt(2 / rows)
    condition = float((source.deviation[0] / source.deviation[-1]) ** 2)
    assert 10 <= condition <= 1000


def test_draws_share_functions_and_differ_in_data():
    one, other = make_task("teacher-0"), make_task("teacher-1")
    assert one.functions == other.functions
    assert one.facts.floor != other.facts.floor
    again = make_task("teacher-0")
    np.testing.assert_array_equal(one.splits.train.x, again.splits.train.x)


def test_hyperparameters_reach_the_task():
    task = make_task("wine", Hyper(7, "adam", batch=24, width=5, depth=2, init_scale=0.5))
    facts = task.facts
    assert (facts.epochs, facts.optimizer, facts.batch, facts.steps) == (7, "adam", 24, 4)
    assert facts.parameters == 13 * 5 + 5 + 5 * 5 + 5 + 5 * 3 + 3
    full = make_task("wine", replace(Hyper(), width=5, depth=2)).init(jax.random.key(0))
    half = task.init(jax.random.key(0))
    np.testing.assert_allclose(half[0][0], 0.5 * full[0][0], rtol=1e-6)


def own(x, y, **change):
    part = Batch(jnp.asarray(x), jnp.asarray(y))
    hyper = Hyper(**change)
    return fixed_task("mine", mlp(2, 2, 4), Splits(part, part, part), hyper, 2, batch=4)


def test_own_rows_become_a_task():
    x, y = np.eye(8, 2, dtype=np.float32), np.arange(8) % 2
    assert own(x, y).facts.steps == 2


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.ones((3, 2)), [0, 1, 0], "batch must be <= the 3 training rows, got 4"),
        (np.full((8, 2), np.nan), np.arange(8) % 2, "not finite"),
        (np.full((8, 2), np.inf), np.arange(8) % 2, "not finite"),
        (np.ones((8, 2)), np.zeros(8, int), "one class only"),
    ],
)
def test_rows_that_make_no_task_are_named(x, y, words):
    with pytest.raises(ValueError, match=words):
        own(np.asarray(x, np.float32), np.asarray(y))


@pytest.mark.parametrize("name", ["cifar", "teacher-x", "teacher-", "teacher-1-frozen", "wine-3"])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match=f"unknown .*{name}"):
        check_task(name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "got 0"),
        ({"epochs": -3}, "got -3"),
        ({"optimizer": "lion"}, "lion"),
        ({"network": "vgg"}, "vgg"),
        ({"activation": "sine"}, "sine"),
        ({"batch": 0}, "batch must be >= 1, got 0"),
        ({"width": -1}, "width must be >= 1"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"init_scale": 0.0}, "init_scale"),
    ],
)
def test_hyperparameters_that_make_no_sense_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        Hyper(**change)


def test_the_names_that_may_be_asked_for_are_those_that_exist():
    assert {name for name, _ in DATASETS} | {"pydoc"} == set(DATASET_NAMES)
    assert tuple(name for name, _ in FAMILIES) == FAMILY_NAMES
