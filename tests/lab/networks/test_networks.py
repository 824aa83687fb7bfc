"""Networks against plain numpy ones that take one row at a time, with the same weights."""

from functools import partial

import jax
import numpy as np
import pytest

from psi.lab.networks.convolution import cnn
from psi.lab.networks.mlp import mlp
from psi.lab.networks.residual import residual
from psi.lab.networks.sequence import HEADS, gru, transformer
from psi.lab.networks.table import OF_TOKENS
from psi.lab.tasks.losses import cross_entropy

pytestmark = pytest.mark.slow  # many programs are compiled

ROWS, WINDOW, VOCABULARY = 3, 6, 7
KEY = jax.random.key(5, impl="unsafe_rbg")  # the quickest to compile, as is the lowest level
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
ACTS = {
    "relu": lambda a: np.maximum(a, 0),
    "tanh": np.tanh,
    "gelu": lambda a: a / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3))),
}


def norm(h):
    return (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5)


def either(normalised, h):
    return norm(h) if normalised else h


def line(layer, h):
    weights, bias = layer
    return weights @ h + bias


def plain_mlp(act, normalised, params, x):
    *hidden, last = params
    for layer in hidden:
        x = ACTS[act](either(normalised, line(layer, x)))
    return line(last, x)


def plain_residual(act, normalised, params, x):
    first, blocks, last = params
    h = line(first, x)
    for inward, outward in blocks:
        h = h + line(outward, ACTS[act](line(inward, either(normalised, h))))
    return line(last, h)


def plain_cnn(act, normalised, params, x):
    """Position by position, a 3×3 window of all channels at a time."""
    layers, last = params
    h = x.reshape(1, 8, 8)
    for weights, bias in layers:
        channels, height, width = h.shape
        kernel = weights.reshape(-1, 3, 3, channels).transpose(0, 3, 1, 2)
        out = np.empty((len(bias), height, width))
        padded = np.pad(h, ((0, 0), (1, 1), (1, 1)))
        for i, j in np.ndindex(height, width):
            sums = (kernel * padded[:, i : i + 3, j : j + 3]).sum((1, 2, 3)) + bias
            out[:, i, j] = ACTS[act](either(normalised, sums))
        h = (out[:, ::2, ::2] + out[:, 1::2, ::2] + out[:, ::2, 1::2] + out[:, 1::2, 1::2]) / 4
    return line(last, h.ravel())


def plain_gru(normalised, params, x):
    levels, last = params
    sequence = list(np.eye(VOCABULARY)[x])
    for (w, b), (u, c) in levels:
        size = u.shape[1]
        gates = [slice(k * size, (k + 1) * size) for k in range(3)]
        h, out = np.zeros(size), []
        for e in sequence:
            own = [w[g] @ e + b[g] for g in gates]
            fed = [u[g] @ h + c[g] for g in gates]
            r, z = (1 / (1 + np.exp(-either(normalised, own[k] + fed[k]))) for k in (0, 1))
            h = z * h + (1 - z) * np.tanh(either(normalised, own[2] + r * fed[2]))
            out.append(h)
        sequence = out
    return np.stack([line(last, h) for h in sequence], axis=1)


def plain_attention(qkv):
    """(3 width, window) → (width, window), head by head and position by position."""
    q, k, v = qkv.reshape(3, HEADS, -1, WINDOW)
    out = np.empty(q.shape)
    for head, t in np.ndindex(HEADS, WINDOW):
        scores = [q[head, :, t] @ k[head, :, s] / np.sqrt(q.shape[1]) for s in range(t + 1)]
        weights = np.exp(scores) / np.exp(scores).sum()
        out[head, :, t] = sum(weights[s] * v[head, :, s] for s in range(t + 1))
    return out.reshape(-1, WINDOW)


def plain_transformer(act, normalised, params, x):
    def each(layer, h):
        return np.stack([line(layer, column) for column in h.T], axis=1)

    tokens, places, blocks, head = params
    h = tokens[:, x] + places
    for look, mix, inward, outward in blocks:
        h = h + each(mix, plain_attention(each(look, norm(h))))
        h = h + each(outward, ACTS[act](either(normalised, each(inward, norm(h)))))
    return each(head, norm(h))


CASES = {
    "mlp": (mlp(64, 4, 5, 2, "tanh", 1.0, True), partial(plain_mlp, "tanh", True)),
    "residual": (residual(64, 4, 5, 1), partial(plain_residual, "relu", False)),
    "residual-2": (residual(64, 4, 5, 2, "gelu", 1.0, True), partial(plain_residual, "gelu", True)),
    "cnn": (cnn((8, 8), 4, 3), partial(plain_cnn, "relu", False)),
    "cnn-3": (cnn((8, 8), 4, 3, 3, "tanh", 1.0, True), partial(plain_cnn, "tanh", True)),
    "gru": (gru(VOCABULARY, 4), partial(plain_gru, False)),
    "gru-2": (gru(VOCABULARY, 4, 2, 0.5, True), partial(plain_gru, True)),
    "transformer": (transformer(VOCABULARY, WINDOW, 4), partial(plain_transformer, "relu", False)),
    "transformer-2": (
        transformer(VOCABULARY, WINDOW, 4, 2, "gelu", 0.5, True),
        partial(plain_transformer, "gelu", True),
    ),
}
TEXT = [name for name in CASES if name.split("-")[0] in OF_TOKENS]


def rows_for(name, rows=ROWS):
    rng = np.random.default_rng(len(name))
    if name in TEXT:
        x = rng.integers(0, VOCABULARY, (rows, WINDOW)).astype(np.int32)
        return x, rng.integers(0, VOCABULARY, (rows, WINDOW)).astype(np.int32)
    return rng.normal(size=(rows, 64)).astype(np.float32), rng.integers(0, 4, rows).astype(np.int32)


def weights_for(net, seed=1):
    """Weights of a usual size, and biases that are not zero."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(net.init, KEY)
    return jax.tree.map(
        lambda a: (rng.normal(size=a.shape) / np.sqrt(a.shape[-1])).astype(np.float32), shapes
    )


def plain_loss(plain, params, x, y):
    """Mean of −log softmax at the label, and the outputs, rows before the last axis if a window."""
    outputs = np.stack([plain(params, row) for row in x], axis=1)
    right = np.take_along_axis(outputs, y[None], axis=0)[0]
    return (np.log(np.exp(outputs).sum(0)) - right).mean(), outputs


def loss_and_outputs(net, params, x, y):
    outputs = net.apply(params, x)
    return cross_entropy(outputs, y), outputs


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_of_two_lanes_against_a_plain_network(name):
    """Gradients along a random direction of every array, by central differences."""
    net, plain = CASES[name]
    x, y = rows_for(name)
    x = x if name in TEXT else x.astype(np.float64)
    lanes = [jax.tree.map(np.float64, weights_for(net, seed)) for seed in (1, 2)]
    with jax.enable_x64(True):
        step = jax.value_and_grad(partial(loss_and_outputs, net), has_aux=True)
        stacked = jax.tree.map(lambda *a: np.stack(a), *lanes)
        (losses, outputs), grads = quick(jax.vmap(step, (0, None, None)))(stacked, x, y)
        outputs, grads = np.asarray(outputs), [np.asarray(a) for a in jax.tree.leaves(grads)]
    assert outputs.shape[1:] == ((VOCABULARY, ROWS, WINDOW) if name in TEXT else (4, ROWS))
    for lane, params in enumerate(lanes):
        loss, expected = plain_loss(plain, params, x, y)
        np.testing.assert_allclose(outputs[lane], expected, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(losses[lane], loss, rtol=1e-10)
    leaves, tree = jax.tree.flatten(lanes[1])
    rng, size = np.random.default_rng(2), 1e-6
    for k, grad in enumerate(grad[1] for grad in grads):
        way = rng.normal(size=grad.shape)
        low, high = (
            plain_loss(
                plain, jax.tree.unflatten(tree, [*leaves[:k], moved, *leaves[k + 1 :]]), x, y
            )
            for moved in (leaves[k] - size * way, leaves[k] + size * way)
        )
        slope = (high[0] - low[0]) / (2 * size)
        np.testing.assert_allclose((grad * way).sum(), slope, rtol=1e-5, atol=1e-8)
        assert np.abs(grad).max() > 1e-5


@pytest.mark.parametrize("name", ["residual", "cnn", "gru", "transformer"])
def test_one_network_in_single_precision(name):
    net, plain = CASES[name]
    params, (x, y) = weights_for(net), rows_for(name)
    outputs = quick(net.apply)(params, x)
    assert outputs.dtype == np.float32
    expected = plain_loss(plain, jax.tree.map(np.float64, params), x, y)[1]
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["residual", "cnn", "gru", "transformer"])
def test_a_population_needs_no_gather_and_no_convolution(name):
    """Either, or the scatter that is its gradient, would be slow once lanes are vmapped."""
    net, _ = CASES[name]
    x, y = rows_for(name)
    params = jax.eval_shape(jax.vmap(net.init), jax.random.split(KEY, 2))
    step = jax.vmap(
        jax.value_and_grad(partial(loss_and_outputs, net), has_aux=True), (0, None, None)
    )
    program = str(jax.make_jaxpr(step)(params, x, y))
    assert "dot_general" in program
    assert not [word for word in ("gather", "scatter", "conv_general") if word in program]


@pytest.mark.parametrize("name", TEXT)
def test_a_later_token_changes_no_bit_of_an_earlier_output(name):
    net, _ = CASES[name]
    params, (x, _) = weights_for(net), rows_for(name)
    apply = jax.jit(net.apply)
    before = np.asarray(apply(params, x))
    for t in range(1, WINDOW):
        other = x.copy()
        other[:, t:] = (x[:, t:] + 1 + np.arange(ROWS)[:, None]) % VOCABULARY
        after = np.asarray(apply(params, other))
        np.testing.assert_array_equal(after[..., :t], before[..., :t])
        assert (after[..., t] != before[..., t]).any(axis=0).all()


def test_rows_do_not_see_each_other():
    for name in ("cnn", "gru-2", "transformer-2"):
        net, _ = CASES[name]
        params, (x, _) = weights_for(net), rows_for(name)
        apply = jax.jit(net.apply)
        swapped, own = np.asarray(apply(params, x[::-1])), np.asarray(apply(params, x))
        np.testing.assert_allclose(swapped[:, ::-1], own, rtol=1e-4, atol=1e-5)
        other = x.copy()
        other[0] = (other[0] + 1) % VOCABULARY
        changed = np.asarray(apply(params, other))
        np.testing.assert_array_equal(changed[:, 1:], own[:, 1:])
        assert (changed[:, 0] != own[:, 0]).any()
