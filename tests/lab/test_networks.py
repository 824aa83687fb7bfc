"""Networks against plain ones that take one row at a time in float64, with the same weights."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from psi.lab.config import NETWORK_NAMES, Hyper
from psi.lab.convolution import cnn
from psi.lab.losses import cross_entropy
from psi.lab.networks import he_layer, mlp
from psi.lab.residual import residual
from psi.lab.sequence import HEADS, gru, transformer
from psi.lab.tasks.architectures import OF_ROWS, OF_TOKENS, network
from psi.lab.tasks.real import real_task

ROWS, WINDOW, VOCABULARY = 3, 6, 7
KEY = jax.random.key(5)
ACTS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "gelu": jax.nn.gelu}


def norm(h):
    return (h - h.mean()) / jnp.sqrt(h.var() + 1e-5)


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
    """XLA's own convolution and window sums, channels before height and width."""
    layers, last = params
    h = x.reshape(1, 1, 8, 8)
    for weights, bias in layers:
        kernel = weights.reshape(len(bias), 3, 3, -1).transpose(0, 3, 1, 2)
        h = lax.conv_general_dilated(h, kernel, (1, 1), "SAME") + bias[None, :, None, None]
        if normalised:
            h = (h - h.mean(1, keepdims=True)) / jnp.sqrt(h.var(1, keepdims=True) + 1e-5)
        two = (1, 1, 2, 2)
        h = lax.reduce_window(ACTS[act](h), jnp.zeros((), h.dtype), lax.add, two, two, "VALID") / 4
    return line(last, h.reshape(-1))


def plain_gru(normalised, params, x):
    levels, last = params
    sequence = list(jax.nn.one_hot(x, VOCABULARY, dtype=last[0].dtype))
    for (w, b), (u, c) in levels:
        size = u.shape[1]
        gates = [slice(k * size, (k + 1) * size) for k in range(3)]
        h, out = jnp.zeros(size, u.dtype), []
        for e in sequence:
            own = [w[g] @ e + b[g] for g in gates]
            fed = [u[g] @ h + c[g] for g in gates]
            r, z = (1 / (1 + jnp.exp(-either(normalised, own[k] + fed[k]))) for k in (0, 1))
            h = z * h + (1 - z) * jnp.tanh(either(normalised, own[2] + r * fed[2]))
            out.append(h)
        sequence = out
    return jnp.stack([line(last, h) for h in sequence], axis=1)


def plain_attention(qkv):
    """(3 width, window) → (width, window), head by head and position by position."""
    q, k, v = qkv.reshape(3, HEADS, -1, qkv.shape[1])
    heads = []
    for head in range(HEADS):
        columns = []
        for t in range(qkv.shape[1]):
            score = [q[head, :, t] @ k[head, :, s] / np.sqrt(q.shape[1]) for s in range(t + 1)]
            weight = jnp.exp(jnp.stack(score))
            columns.append(v[head, :, : t + 1] @ (weight / weight.sum()))
        heads.append(jnp.stack(columns, axis=1))
    return jnp.concatenate(heads)


def each(function, h):
    return jnp.stack([function(column) for column in h.T], axis=1)


def plain_transformer(act, normalised, params, x):
    tokens, places, blocks, head = params
    h = tokens[:, x] + places
    for look, mix, inward, outward in blocks:
        qkv = each(lambda c, look=look: line(look, norm(c)), h)
        h = h + each(partial(line, mix), plain_attention(qkv))
        inner = each(lambda c, inward=inward: either(normalised, line(inward, norm(c))), h)
        h = h + each(partial(line, outward), ACTS[act](inner))
    return each(lambda c: line(head, norm(c)), h)


CASES = {
    "linear": (mlp(64, 4, depth=0), partial(plain_mlp, "relu", False)),
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


def weights_for(net, key=KEY):
    """Initial weights, and biases that are not zero."""
    leaves, tree = jax.tree.flatten(net.init(key))
    rng = np.random.default_rng(1)
    moved = [leaf + 0.3 * rng.normal(size=leaf.shape).astype(np.float32) for leaf in leaves]
    return jax.tree.unflatten(tree, moved)


def double(tree):
    return jax.tree.map(lambda a: jnp.asarray(np.asarray(a), jnp.float64), tree)


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_against_a_plain_network(name):
    net, plain = CASES[name]
    params, (x, y) = weights_for(net), rows_for(name)
    with jax.enable_x64(True):
        params, x = double(params), x if name in TEXT else x.astype(np.float64)

        def own(params):
            outputs = net.apply(params, jnp.asarray(x))
            return cross_entropy(outputs, jnp.asarray(y)), outputs

        def by_row(params):
            outputs = jnp.stack([plain(params, jnp.asarray(row)) for row in x], axis=1)
            return cross_entropy(outputs, jnp.asarray(y)), outputs

        results = [jax.jit(jax.value_and_grad(f, has_aux=True))(params) for f in (own, by_row)]
        ((_, outputs), grads), ((_, expected), expected_grads) = jax.tree.map(np.asarray, results)
    assert outputs.shape == ((VOCABULARY, ROWS, WINDOW) if name in TEXT else (4, ROWS))
    np.testing.assert_allclose(outputs, expected, rtol=1e-9, atol=1e-11)
    for got, want in zip(jax.tree.leaves(grads), jax.tree.leaves(expected_grads), strict=True):
        assert np.abs(want).max() > 1e-6
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-12)


def loss_of(net, params, x, y):
    return cross_entropy(net.apply(params, x), y)


@pytest.mark.parametrize("name", ["residual-2", "cnn", "gru", "transformer"])
def test_lanes_together_equal_lanes_one_by_one(name):
    net, _ = CASES[name]
    x, y = rows_for(name)
    lanes = [weights_for(net, jax.random.fold_in(KEY, lane)) for lane in range(3)]
    step = jax.value_and_grad(partial(loss_of, net))
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *lanes)
    together = jax.jit(jax.vmap(step, (0, None, None)))(stacked, x, y)
    alone = jax.jit(step)
    for number, lane in enumerate(lanes):
        mine = [np.asarray(a[number]) for a in jax.tree.leaves(together)]
        for a, b in zip(mine, jax.tree.leaves(alone(lane, x, y)), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("name", ["residual", "cnn", "gru", "transformer"])
def test_a_population_needs_no_gather_and_no_convolution(name):
    """Either, or the scatter that is its gradient, would be slow once lanes are vmapped."""
    net, _ = CASES[name]
    x, y = rows_for(name)
    params = jax.vmap(net.init)(jax.random.split(KEY, 2))
    step = jax.vmap(jax.value_and_grad(partial(loss_of, net)), (0, None, None))
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
        swapped = np.asarray(net.apply(params, x[::-1]))
        own = np.asarray(net.apply(params, x))
        np.testing.assert_allclose(swapped[:, ::-1], own, rtol=1e-4, atol=1e-5)
        other = x.copy()
        other[0] = (other[0] + 1) % VOCABULARY
        changed = np.asarray(net.apply(params, other))
        np.testing.assert_array_equal(changed[:, 1:], own[:, 1:])
        assert (changed[:, 0] != own[:, 0]).any()


def named(hyper, **changes):
    """The network of a row of 64 numbers, or of a window, whichever suits its name."""
    hyper = replace(hyper, **changes)
    if hyper.network in OF_TOKENS:
        return network(hyper, VOCABULARY, VOCABULARY, window=WINDOW), "gru"
    return network(hyper, 64, 4, image=(8, 8)), "mlp"


def leaves(net):
    return jax.tree.leaves(net.init(KEY))


@pytest.mark.parametrize("name", [name for name in NETWORK_NAMES if name != "linear"])
def test_hyperparameters_have_their_effect(name):
    hyper = Hyper(network=name, width=8, depth=1)
    net, rows = named(hyper)
    x, _ = rows_for(rows)
    outputs = np.asarray(net.apply(net.init(KEY), x))
    size = sum(map(np.size, leaves(net)))
    assert named(hyper)[0] is net
    assert sum(map(np.size, leaves(named(hyper, depth=2)[0]))) != size
    assert sum(map(np.size, leaves(named(hyper, width=16)[0]))) > size
    for change in ({"normalised": True}, {"activation": "tanh"}):
        other = named(hyper, **change)[0]
        fixed = name == "gru" and "activation" in change
        moved = np.abs(np.asarray(other.apply(net.init(KEY), x)) - outputs).max()
        assert moved == 0 if fixed else moved > 0.01
    for one, twice in zip(leaves(net), leaves(named(hyper, init_scale=2.0)[0]), strict=True):
        np.testing.assert_allclose(2 * one, twice, rtol=1e-6)


def test_he_layers_have_the_variance_of_their_formula():
    """z of the mean square of 10,000 normal numbers; |z| < 4.5 has a false alarm of 7e-6."""
    weights, bias = he_layer(200, 50, 1.5, KEY)
    mean_square = np.square(np.asarray(weights, np.float64)).mean() / (1.5**2 * 2 / 50)
    assert abs(mean_square - 1) / np.sqrt(2 / 10_000) < 4.5
    assert not np.asarray(bias).any()


def test_parameters_are_those_of_the_closed_forms():
    def size(net):
        return sum(map(np.size, leaves(net)))

    w, v, t, depth = 6, 11, 5, 3
    assert size(residual(9, 4, w, depth)) == 10 * w + depth * 2 * w * (w + 1) + (w + 1) * 4
    two = 10 * w + (9 * w + 1) * 2 * w
    assert size(cnn((8, 8), 4, w)) == two + (4 * 2 * w + 1) * 4
    assert size(cnn((8, 16), 4, w)) == two + (8 * 2 * w + 1) * 4
    last = (w + 1) * v
    assert size(gru(v, w)) == 3 * w * (v + 1) + 3 * w * (w + 1) + last
    assert size(gru(v, w, 2)) == size(gru(v, w)) + 6 * w * (w + 1)
    block = 8 * w * (w + 1) + w * (4 * w + 1)
    assert size(transformer(v, t, w, depth)) == w * (v + t) + depth * block + last


@pytest.mark.parametrize("name", ["residual", "cnn"])
def test_digits_by_each_network_of_rows(name):
    task = real_task("digits", Hyper(network=name, width=4))
    assert task.facts.network == name
    assert task.facts.parameters == sum(map(np.size, jax.tree.leaves(task.init(KEY))))
    start = float(task.loss(task.init(KEY), task.splits.validation))
    assert np.log(10) / 2 < start < 3 * np.log(10)


@pytest.mark.parametrize(
    ("change", "shape", "words"),
    [
        ({"network": "cnn"}, (13, 3), "cnn cannot take rows of 13 numbers; .*linear, mlp, resid"),
        ({"network": "gru"}, (13, 3), "gru cannot take rows of 13 numbers"),
        ({"network": "transformer"}, (64, 10, (8, 8)), "allowed: linear, mlp, residual, cnn$"),
        ({"network": "mlp"}, (7, 7, None, 6), "mlp cannot take windows of 6 .*: gru, transformer$"),
        ({"network": "cnn"}, (7, 7, None, 6), "cnn cannot take windows of 6 tokens"),
        ({"network": "transformer", "width": 7}, (7, 7, None, 6), "multiple of 2, got 7"),
        ({"network": "cnn", "depth": 4}, (64, 10, (8, 8)), "16 divides, got 8×8"),
    ],
)
def test_what_a_network_cannot_take_is_named(change, shape, words):
    with pytest.raises(ValueError, match=words):
        network(Hyper(**change), *shape)


def test_every_name_is_a_network():
    assert {*OF_ROWS, "cnn", *OF_TOKENS} == set(NETWORK_NAMES)
    for name in NETWORK_NAMES:
        assert leaves(named(Hyper(network=name))[0])
    assert network(Hyper(), 64, 4) is network(Hyper(network="mlp"), 64, 4)
    assert network(Hyper(), 7, 7, window=6) is network(Hyper(network="gru"), 7, 7, window=6)
    assert network(Hyper(), 64, 4, width=9) is network(Hyper(width=9), 64, 4)
