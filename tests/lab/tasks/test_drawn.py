"""Drawn tasks: what is padded trains like what is not, and few programs serve many tasks."""

from dataclasses import replace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from psi.lab.engine import population as engine
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.engine.training import Progress, evaluate, train_epoch
from psi.lab.hyper import Hyper
from psi.lab.networks.mlp import mlp
from psi.lab.optimizers import OPTIMIZERS, optimizer
from psi.lab.tasks.build import of_network
from psi.lab.tasks.distribution import TaskDistribution
from psi.lab.tasks.drawn import drawn_task, masked, padded, sample_tasks
from psi.lab.tasks.table import make_task
from psi.lab.tasks.task import Batch

KEY = jax.random.key(8)


def of(families, fixed, **other):
    """A small task whose every size is padded."""
    hyper = Hyper(epochs=3, **other)
    return TaskDistribution((families,), fixed, (5, 8), (5, 8), hyper=hyper)


def without_padding(task, params):
    """The real rows, the real weights and a plain network for them."""
    facts, units = task.facts, int(task.arrays.units.sum())
    (w1, b1), *middle, (w2, b2) = params
    layers = [(w1[:units], b1[:units])]
    layers += [(w[:units, :units], b[:units]) for w, b in middle]
    layers.append((w2[:, :units], b2))
    model = mlp(facts.inputs, facts.classes or 1, units, len(layers) - 1)
    return layers, of_network(model, facts.classes, facts.label_smoothing)[1]


@pytest.mark.parametrize(
    ("family", "fixed", "name", "other"),
    [
        ("teacher", 1.0, "sgd", {}),
        pytest.param("teacher", 0.0, "adam", {"depth": 2}, marks=pytest.mark.slow),
        pytest.param("ill_conditioned", 1.0, "adagrad", {}, marks=pytest.mark.slow),
        pytest.param("moons", 0.0, "momentum", {"label_smoothing": 0.1}, marks=pytest.mark.slow),
    ],
)
def test_a_padded_task_trains_like_one_without_padding(family, fixed, name, other):
    task = drawn_task("drawn-0", KEY, of(family, fixed, optimizer=name, **other))
    facts, transform, rate = task.facts, optimizer(name), 0.05
    start = task.init(jax.random.key(1))
    plain, loss = without_padding(task, start)
    assert sum(leaf.size for leaf in jax.tree.leaves(plain)) == facts.parameters
    assert facts.batch < 8 or int(task.arrays.units.sum()) < 8  # there is something to pad

    def update(grads, state, params, *_):
        updates, state = transform.update(grads, state, params)
        return jax.tree.map(lambda u: -rate * u, updates), state

    batches = task.functions.epoch(task.arrays, jax.random.key(2), jnp.asarray(0))
    padded_run, seen = train_epoch(
        task.functions, task.arrays, update, Progress(start, transform.init(start)), batches
    )
    state, losses = transform.init(plain), []
    step = jax.jit(jax.value_and_grad(lambda p, x, y: loss(None, p, Batch(x, y))))
    for x, y in zip(batches.x[:, : facts.batch], batches.y[:, : facts.batch], strict=True):
        value, grads = step(plain, x, y)
        updates, state = transform.update(grads, state, plain)
        plain = optax.apply_updates(plain, jax.tree.map(lambda u: -rate * u, updates))
        losses.append(float(value))
    np.testing.assert_allclose(seen.loss, np.mean(losses), rtol=2e-5)
    there, _ = without_padding(task, padded_run.params)
    for a, b in zip(jax.tree.leaves(there), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    train = jax.tree.map(lambda a: a[: 16 * facts.batch], task.splits.train)
    found = evaluate(task.functions, task.arrays, task.splits, padded_run, KEY, jnp.asarray(1))
    rows = Batch(train.x, train.y) if fixed else task.splits.train
    np.testing.assert_allclose(found.full, loss(None, plain, rows), rtol=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS.names)
def test_padding_stays_zero_under_every_optimizer(name):
    task = drawn_task("drawn-0", KEY, of("teacher", 1.0, optimizer=name, weight_decay=0.1))
    transform, params = task.functions.optimizer, cast(Any, task.init(KEY))
    state = transform.init(params)
    batches = task.functions.epoch(task.arrays, KEY, jnp.asarray(0))
    for step in range(3):
        rows = jax.tree.map(lambda a, step=step: a[step], batches)
        grads = jax.grad(task.loss)(params, rows)
        updates, state = transform.update(grads, state, params)
        steps = jax.tree.map(lambda u: -0.1 * u, updates)
        params = cast(Any, optax.apply_updates(params, steps))
    there = int(task.arrays.units.sum())
    (w1, b1), (w2, _) = params
    assert there < len(b1)
    assert np.all(np.asarray(w1)[there:] == 0)
    assert np.all(np.asarray(b1)[there:] == 0)
    assert np.all(np.asarray(w2)[:, there:] == 0)
    assert np.any(np.asarray(w1)[:there] != 0)


def test_initial_weights_are_those_of_he_for_the_real_width():
    """Variance 2/fan_in · scale², 20 of 64 units, 100 seeds: z < 5, false alarm < 1e-6."""
    init, units = mlp(16, 4, 64, 2).init, (jnp.arange(64) < 20).astype(float)
    keys = jax.random.split(jax.random.key(3), 100)
    layers = jax.jit(jax.vmap(lambda key: masked(init(key), units, jnp.asarray(1.7))))(keys)
    for (weights, _), fan_in, out in zip(layers, (16, 20, 20), (20, 20, 4), strict=True):
        real = np.asarray(weights)[:, :out, :fan_in]
        ratio = np.square(real).mean() / (1.7**2 * 2 / fan_in)
        assert abs(ratio - 1) < 5 * np.sqrt(2 / real.size)
        assert np.count_nonzero(weights) == real.size


def test_an_epoch_of_fixed_rows_is_one_pass_over_the_real_ones():
    task = drawn_task("drawn-0", KEY, of("teacher", 1.0))
    batches = task.functions.epoch(task.arrays, jax.random.key(2), jnp.asarray(1))
    x, real = np.asarray(batches.x), np.asarray(batches.real)
    assert (real.sum(1) == task.facts.batch).all()
    rows = sorted(row.tobytes() for row in x[real])
    train = np.asarray(task.splits.train.x)[: task.facts.rows]
    assert rows == sorted(row.tobytes() for row in train)


def test_one_compilation_serves_a_bucket():
    program: Any = engine._program("cpu")
    rates = np.full((2, 2), 0.1, np.float32)
    both = ("teacher", "gaussian_mixture")
    distribution = TaskDistribution(both, 1.0, (5, 16), (5, 16), hyper=Hyper(2))
    before = program._cache_size()
    tasks = sample_tasks(KEY, 6, distribution)
    for task in tasks:
        population(task, trajectory, rates, np.arange(2), KEY)
    assert {task.facts.domain for task in tasks} == {"teacher", "gaussian_mixture"}
    assert len({task.facts.batch for task in tasks}) > 2
    assert program._cache_size() == before + 1


@pytest.mark.slow
def test_what_is_drawn():
    distribution = TaskDistribution(batch=(4, 16), width=(4, 16), hyper=Hyper(2))
    tasks = sample_tasks(KEY, 40, distribution)
    facts = [task.facts for task in tasks]
    assert [task.name for task in tasks] == [f"drawn-{k}" for k in range(40)]
    assert len({fact.domain for fact in facts}) == 4
    assert {fact.stream for fact in facts} == {True, False}
    assert {fact.batch for fact in facts} <= set(range(4, 17))
    assert all(0.5 <= fact.init_scale <= 2 for fact in facts)
    assert all(0 <= fact.floor < fact.chance_loss for fact in facts)
    assert all((fact.floor > 0) == fact.stream for fact in facts)
    again, other = sample_tasks(KEY, 2, distribution), sample_tasks(jax.random.key(9), 2)
    assert [task.facts for task in again] == facts[:2]
    assert other[0].facts != facts[0]


def test_a_name_is_a_task_for_ever():
    one = make_task("drawn-3", Hyper(4, "adam"))
    assert one.name == "drawn-3"
    assert (one.facts.optimizer, one.facts.epochs) == ("adam", 4)
    sgd = make_task("drawn-3", Hyper(4, "sgd"))
    assert replace(one.facts, optimizer="sgd") == sgd.facts


@pytest.mark.parametrize(
    ("size", "within", "result"),
    [(64, (8, 64), 64), (17, (8, 64), 64), (16, (8, 64), 16), (8, (8, 64), 16), (3, (1, 64), 4)],
)
def test_sizes_are_padded_up(size, within, result):
    assert padded(size, within, 4) == result


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"families": ("teacher", "sun")}, "families must be some of"),
        ({"families": ()}, "families must be some of"),
        ({"fixed": 1.2}, "fixed, a share, must be in"),
        ({"batch": (8, 4)}, "batch must be a range"),
        ({"width": (0, 4)}, "width must be a range"),
        ({"init_scale": (0.0, 1.0)}, "init_scale must be a range"),
        ({"padding": 1}, "padding must be >= 2"),
        ({"hyper": Hyper(batch=4)}, "hyper.batch must be None"),
        ({"hyper": Hyper(normalised=True)}, "hyper.normalised must be False"),
        ({"hyper": Hyper(network="cnn")}, "hyper.network must be mlp"),
    ],
)
def test_a_distribution_that_makes_no_sense_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        TaskDistribution(**wrong)
