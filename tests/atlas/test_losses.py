"""Losses of padded rows against the lab's losses of the rows alone."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.atlas.data import arrays_of, order_of, rows_of
from psi.atlas.description import OF_TOKENS
from psi.atlas.losses import Chosen, block_of_rows, cross_entropies, losses, mean_loss, rows_at
from psi.atlas.networks import KINDS
from psi.lab.tasks import losses as plain
from tests.atlas.conftest import TASKS
from tests.atlas.test_networks import SHAPE


def made(kind):
    task, shape = TASKS[kind], SHAPE[kind]
    arrays = jax.tree.map(jnp.asarray, arrays_of(task, rows_of(task), shape))
    return task, shape, arrays, KINDS[kind].init(shape, arrays.sizes, jax.random.key(0))


def test_cross_entropies_are_the_lab_s_over_real_classes():
    rng = np.random.default_rng(1)
    logits, y = rng.normal(size=(5, 9)).astype("f4"), rng.integers(5, size=9)
    padding = rng.normal(size=(3, 9)).astype("f4")
    wide = jnp.concatenate([logits, padding])
    real = jnp.array([1.0] * 5 + [0.0] * 3)
    got = cross_entropies(wide, jnp.asarray(y), real)
    assert got.mean() == pytest.approx(
        float(plain.cross_entropy(jnp.asarray(logits), jnp.asarray(y)))
    )


@pytest.mark.parametrize("kind", TASKS)
def test_the_mean_loss_is_that_of_all_rows_at_once(kind):
    task, shape, arrays, params = made(kind)
    count, outputs = int(arrays.val_rows), task.outputs
    x, y = arrays.val_x[:count], arrays.val_y[:count]
    apply = jax.jit(partial(KINDS[kind].apply, shape))
    out = apply(arrays.sizes, params, x)[:outputs]
    if out.ndim == 3:
        out, y = out[:, :, : task.inputs], y[:, : task.inputs]
    loss = plain.cross_entropy if task.classes else plain.squared_error
    want = float(loss(out, y.astype(int) if task.classes else y))
    mean = jax.jit(partial(mean_loss, shape))
    held = jax.tree_util.Partial(lambda a, row: (a.val_x[row], a.val_y[row]), arrays)
    got = mean(arrays, params, held, arrays.val_rows)
    assert float(got) == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("kind", TASKS)
def test_padding_has_no_gradient(kind):
    task, shape, arrays, params = made(kind)
    count = shape.block
    rows = Chosen(arrays.val_x[:count], arrays.val_y[:count], jnp.arange(count) < 5)
    gradient = jax.jit(jax.grad(lambda p: losses(shape, arrays, p, rows).sum()))(params)
    # Of a padding weight both are 0; so is what a layer has that this task goes without.
    for weights, slope in zip(*map(jax.tree.leaves, (params, gradient)), strict=True):
        assert not np.asarray(slope)[np.asarray(weights) == 0].any()
    assert any(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradient))
    assert task.initialisation == "pytorch"  # or real biases would be 0


def at(*numbers) -> Any:
    return tuple(map(jnp.asarray, numbers))


def test_an_epoch_s_minibatches_are_its_order():
    task, shape, arrays, _ = made("mlp")
    order, rows = jnp.asarray(order_of(task, 3)), rows_of(task)
    key, seen = jax.random.key(0), []
    for s in range(task.steps):
        for first in range(0, task.batch, shape.block):
            block = block_of_rows(shape, arrays, order, key, at(1, s, first))
            seen.append(np.asarray(block.x)[np.asarray(block.real)][:, : task.inputs])
    places = np.asarray(order)[task.rows :][: task.steps * task.batch]
    np.testing.assert_array_equal(np.concatenate(seen), rows.x[places].astype("f4"))


@pytest.mark.parametrize("kind", OF_TOKENS)
def test_windows_of_a_text_are_followed_by_what_comes_next(kind):
    task, shape, arrays, _ = made(kind)
    block = block_of_rows(shape, arrays, jnp.zeros(1, int), jax.random.key(2), at(0, 1, 0))
    text, x, y = np.asarray(arrays.x), np.asarray(block.x), np.asarray(block.y)
    assert np.asarray(block.real).sum() == task.batch
    for window, after in zip(x, y, strict=True):
        places = [
            k
            for k in np.flatnonzero(text == window[0])
            if np.array_equal(text[k : k + shape.inputs], window)
        ]
        follows = after if kind == "embedding" else after[task.inputs - 1]
        assert any(text[k + task.inputs] == follows for k in places)


def test_rows_that_fill_no_last_block_count_once():
    _, shape, arrays, params = made("linear")
    x, y = arrays.val_x[:100], arrays.val_y[:100]
    out = KINDS["linear"].apply(shape, arrays.sizes, params, x)
    want = float(plain.squared_error(out, y))
    got = mean_loss(shape, arrays, params, lambda row: (x[row], y[row]), jnp.asarray(100))
    assert float(got) == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("kind", OF_TOKENS)
def test_a_fixed_text_s_windows_stand_side_by_side_and_come_once_an_epoch(kind):
    task = replace(TASKS[kind], rows=12, batch=6, steps_per_epoch=0)
    shape, rows = SHAPE[kind], rows_of(task)
    arrays = jax.tree.map(jnp.asarray, arrays_of(task, rows, shape))
    assert len(rows.x) == 12 * task.inputs
    windows = rows.x.reshape(12, task.inputs)
    follows = rows.y.reshape(12, task.inputs)
    x, y = map(np.asarray, rows_at(shape, arrays, jnp.arange(12)))
    np.testing.assert_array_equal(x[:, : task.inputs], windows)
    last = y if kind == "embedding" else y[:, task.inputs - 1]
    np.testing.assert_array_equal(last, follows[:, -1])
    order, seen = jnp.asarray(order_of(task, 1)), []
    for s in range(task.steps):
        block = block_of_rows(shape, arrays, order, jax.random.key(3), at(1, s, 0))
        seen += np.asarray(block.x)[np.asarray(block.real)][:, : task.inputs].tolist()
    assert sorted(seen) == sorted(windows.tolist())
