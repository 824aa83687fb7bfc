"""Padded networks against the lab's own without padding, or a loop over positions in numpy."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.atlas.data import _sizes
from psi.atlas.description import EMBEDDED, INITIALISATIONS
from psi.atlas.layers import axis, init_dense
from psi.atlas.networks import KINDS
from psi.atlas.padding import Shape
from psi.atlas.sequences import columns
from psi.lab.networks.convolution import cnn_apply
from psi.lab.networks.mlp import mlp_apply
from psi.lab.networks.residual import residual_apply
from psi.lab.networks.sequence import gru_apply, transformer_apply
from tests.atlas.conftest import TASKS

SHAPE = {
    "linear": Shape("linear", 8, 4, 1, 1, 0, 0),
    "mlp": Shape("mlp", 8, 4, 16, 4, 0, 0, True),
    "residual": Shape("residual", 8, 4, 16, 3, 0, 0, True),
    "cnn": Shape("cnn", 64, 4, 8, 2, 0, 0, True),
    "embedding": Shape("embedding", 4, 16, 16, 2, 0, 0),
    "gru": Shape("gru", 12, 8, 8, 2, 0, 0),
    "lstm": Shape("lstm", 12, 8, 8, 2, 0, 0),
    "transformer": Shape("transformer", 12, 8, 16, 2, 0, 0),
}
ROWS = 5


def padded(kind) -> Any:
    """(apply of x, its parameters, an x without padding, x with padding)."""
    task, shape = TASKS[kind], SHAPE[kind]
    sizes = _sizes(task)
    params = KINDS[kind].init(shape, sizes, jax.random.key(1))
    rng = np.random.default_rng(0)
    if kind in ("linear", "mlp", "residual", "cnn"):
        x = rng.normal(size=(ROWS, task.inputs)).astype(np.float32)
    else:
        x = rng.integers(task.classes, size=(ROWS, task.inputs)).astype(np.int32)
    wide = np.zeros((ROWS, shape.inputs), x.dtype)
    wide[:, : task.inputs] = x
    return partial(KINDS[kind].apply, shape, sizes), params, x, wide


def cropped(layer, outputs, inputs):
    weights, bias = layer
    return weights[outputs][:, inputs], bias[outputs]


def first(count):
    return np.arange(count)


def gates(count, width, real):
    """Where the real units of each of `count` gates are."""
    return np.concatenate([k * width + np.arange(real) for k in range(count)])


def test_mlp():
    apply, (one, more, last), x, wide = padded("mlp")
    task = TASKS["mlp"]
    w, out = first(task.width), first(task.classes)
    layers = [cropped(one, w, first(task.inputs))]
    layers += [cropped(layer, w, w) for layer in more[: task.depth - 1]]
    want = mlp_apply(task.activation, True, [*layers, cropped(last, out, w)], jnp.asarray(x))
    got = apply((one, more, last), jnp.asarray(wide))
    np.testing.assert_allclose(got[: task.classes], want, rtol=1e-4, atol=1e-5)


def test_residual():
    apply, (one, blocks, last), x, wide = padded("residual")
    task = TASKS["residual"]
    w, out = first(task.width), first(task.classes)
    own = [tuple(cropped(layer, w, w) for layer in block) for block in blocks[: task.depth]]
    layers = cropped(one, w, first(task.inputs)), own, cropped(last, out, w)
    want = residual_apply(task.activation, True, layers, jnp.asarray(x))
    got = apply((one, blocks, last), jnp.asarray(wide))
    np.testing.assert_allclose(got[: task.classes], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "ratio"), [("he", 0.5), ("mup", 0.5), ("keras", 1.0)])
def test_blocks_of_residual_networks_start_as_the_lab_s(name, ratio):
    """Of four blocks the second layers are half as large as the first, but by a framework."""
    task = replace(TASKS["residual"], width=60, depth=4, initialisation=name)
    shape = Shape("residual", 8, 4, 64, 4, 0, 0, True)
    _, blocks, _ = KINDS["residual"].init(shape, _sizes(task), jax.random.key(0))
    inward, outward = (np.std([block[k][0] for block in blocks]) for k in (0, 1))
    assert outward / inward == pytest.approx(ratio, rel=0.05)


def test_cnn():
    apply, (stages, last), x, wide = padded("cnn")
    task, shape = TASKS["cnn"], SHAPE["cnn"]
    own, wider = first(task.width), first(2 * task.width)
    patch = np.concatenate([k * shape.width + own for k in range(9)])
    pixels = task.inputs // 16
    layers = [cropped(stages[0], own, first(9)), cropped(stages[1], wider, patch)]
    final = cropped(last, first(task.classes), first(2 * task.width * pixels))
    want = cnn_apply((8, 8), task.activation, True, (layers, final), jnp.asarray(x))
    got = apply((stages, last), jnp.asarray(wide))
    np.testing.assert_allclose(got[: task.classes], want, rtol=1e-4, atol=1e-5)


def test_embedding():
    apply, (table, layers), x, wide = padded("embedding")
    task, shape = TASKS["embedding"], SHAPE["embedding"]
    one, _, last = layers
    at = (np.arange(EMBEDDED)[:, None] * shape.inputs + np.arange(task.inputs)).ravel()
    w = first(task.width)
    inputs = np.asarray(table)[:, x].transpose(1, 0, 2).reshape(ROWS, -1)
    own = [cropped(one, w, at), cropped(last, first(task.classes), w)]
    want = mlp_apply(task.activation, False, own, jnp.asarray(inputs))
    got = apply((table, layers), jnp.asarray(wide))
    np.testing.assert_allclose(got[: task.classes], want, rtol=1e-4, atol=1e-5)


def test_gru():
    apply, (table, levels, last), x, wide = padded("gru")
    task, shape = TASKS["gru"], SHAPE["gru"]
    w, v, three = first(task.width), first(task.classes), gates(3, shape.width, task.width)
    inward, around = levels[0]
    weights, bias = cropped(inward, three, w)
    # The lab's GRU reads one-hot tokens; here these are embedded before.
    joined = (weights @ table[w][:, v], bias)
    own = ([(joined, cropped(around, three, w))], cropped(last, v, w))
    want = gru_apply(False, own, jnp.asarray(x))
    got = apply((table, levels, last), jnp.asarray(wide))
    got = got[: task.classes, :, : task.inputs]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_lstm():
    apply, (table, levels, last), x, wide = padded("lstm")
    task, shape = TASKS["lstm"], SHAPE["lstm"]
    w, v, four = first(task.width), first(task.classes), gates(4, shape.width, task.width)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    inputs = np.asarray(table)[w][:, x]  # width, rows, window
    for inward, around in levels[: task.depth]:
        (a, b), (u, c) = cropped(inward, four, w), cropped(around, four, w)
        h = cell = np.zeros((task.width, ROWS))
        seen = []
        for k in range(task.inputs):
            sums = a @ inputs[:, :, k] + b[:, None] + u @ h + c[:, None]
            i, f, g, o = np.split(np.asarray(sums), 4)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(cell)
            seen.append(h)
        inputs = np.stack(seen, axis=-1)
    head, bias = cropped(last, v, w)
    want = np.einsum("vw,wrk->vrk", head, inputs) + np.asarray(bias)[:, None, None]
    got = apply((table, levels, last), jnp.asarray(wide))
    got = got[: task.classes, :, : task.inputs]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_transformer():
    apply, (tokens, positions, blocks, last), x, wide = padded("transformer")
    task, shape = TASKS["transformer"], SHAPE["transformer"]
    units, half = gates(2, shape.width // 2, task.width // 2), shape.width
    three, four = (np.concatenate([k * half + units for k in range(n)]) for n in (3, 4))
    v = first(task.classes)
    own = [
        (
            cropped(look, three, units), cropped(mix, units, units),
            cropped(inward, four, units), cropped(outward, units, four),
        )
        for look, mix, inward, outward in blocks
    ]  # fmt: skip
    small = tokens[units][:, v], positions[units][:, : task.inputs], own, cropped(last, v, units)
    want = transformer_apply(task.activation, False, small, jnp.asarray(x))
    got = apply((tokens, positions, blocks, last), jnp.asarray(wide))
    got = got[: task.classes, :, : task.inputs]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", TASKS)
def test_as_many_weights_are_real_as_the_description_counts(kind):
    """Layers beyond a task's depth too are 0: the size of the initial weights is a fact."""
    task = TASKS[kind]
    torch = task.__class__.from_json(task.to_json())  # PyTorch's biases are not 0
    _, params, _, _ = padded(kind)
    assert torch.initialisation == "pytorch"
    real = sum(int((np.asarray(leaf) != 0).sum()) for leaf in jax.tree.leaves(params))
    assert real == task.parameters


@pytest.mark.parametrize("kind", INITIALISATIONS)
def test_initial_weights_have_the_deviation_of_their_formula(kind):
    """20,000 weights: their root mean square is uncertain by 0.7 %; 4 % are allowed."""
    n, m = 100, 200
    code = jnp.asarray(INITIALISATIONS.index(kind))
    weights, bias = init_dense(code, axis(256, jnp.asarray(m)), axis(128, jnp.asarray(n)),
                               jax.random.key(3))  # fmt: skip
    want = {
        "he": np.sqrt(2 / n), "pytorch": np.sqrt(1 / (3 * n)), "keras": np.sqrt(2 / (n + m)),
        "flax": np.sqrt(1 / n), "mup": np.sqrt(1 / n),
    }[kind]  # fmt: skip
    real = np.asarray(weights)[:m, :n]
    assert np.sqrt(np.square(real).mean()) == pytest.approx(want, rel=0.04)
    assert not np.asarray(weights)[m:].any()
    assert not np.asarray(weights)[:, n:].any()
    assert bool(np.asarray(bias)[:m].any()) == (kind == "pytorch")
    if kind in ("pytorch", "keras"):
        assert np.abs(real).max() <= want * np.sqrt(3) + 1e-6


def test_the_last_layer_of_mup_is_smaller():
    code = jnp.asarray(INITIALISATIONS.index("mup"))
    outputs, inputs = axis(64, jnp.asarray(64)), axis(100, jnp.asarray(100))
    weights, _ = init_dense(code, outputs, inputs, jax.random.key(3), last=True)
    assert np.std(np.asarray(weights)) == pytest.approx(0.01, rel=0.05)


def test_columns_are_the_vectors_of_the_tokens_position_by_position():
    table, x = jnp.arange(12.0).reshape(3, 4), jnp.array([[1, 2], [3, 0]])
    want = np.asarray(table)[:, np.asarray(x).T.ravel()]
    np.testing.assert_array_equal(columns(table, x), want)
