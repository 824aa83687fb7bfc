"""The network that hyperparameters name: their effect, initial weights, sizes, refusals."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

from psi.lab.hyper import NETWORK_NAMES, Hyper
from psi.lab.networks.convolution import cnn
from psi.lab.networks.mlp import he_layer
from psi.lab.networks.residual import residual
from psi.lab.networks.sequence import gru, transformer
from psi.lab.networks.table import OF_ROWS, OF_TOKENS, network
from psi.lab.tasks.real import real_task

WINDOW, VOCABULARY = 6, 7
KEY = jax.random.key(5, impl="unsafe_rbg")  # the quickest to compile, as is the lowest level
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def named(hyper, **changes):
    """The network of a row of 64 numbers, or of a window, whichever suits its name."""
    hyper = replace(hyper, **changes)
    if hyper.network in OF_TOKENS:
        return network(hyper, VOCABULARY, VOCABULARY, window=WINDOW)
    return network(hyper, 64, 4, image=(8, 8))


def size(net):
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(net.init, KEY)))


@pytest.mark.parametrize("name", [name for name in NETWORK_NAMES if name != "linear"])
def test_hyperparameters_have_their_effect(name):
    hyper = Hyper(network=name, width=8, depth=1)
    net, rng = named(hyper), np.random.default_rng(3)
    tokens = rng.integers(0, VOCABULARY, (3, WINDOW))
    x = tokens if name in OF_TOKENS else rng.normal(size=(3, 64)).astype(np.float32)
    params = jax.tree.map(
        lambda a: (rng.normal(size=a.shape) / np.sqrt(a.shape[-1])).astype(np.float32),
        jax.eval_shape(net.init, KEY),
    )
    outputs = np.asarray(quick(net.apply)(params, x))
    assert named(hyper) is net
    assert size(named(hyper, depth=2)) != size(net)
    assert size(named(hyper, width=16)) > size(net)
    for change in ({"normalised": True}, {"activation": "tanh"}):
        other = named(hyper, **change)
        fixed = name == "gru" and "activation" in change
        moved = np.abs(np.asarray(quick(other.apply)(params, x)) - outputs).max()
        assert moved == 0 if fixed else moved > 0.01
    louder = named(hyper, init_scale=2.0)
    scales = quick(lambda key: [jax.tree.leaves(net.init(key)), jax.tree.leaves(louder.init(key))])
    for one, twice in zip(*scales(KEY), strict=True):
        np.testing.assert_allclose(2 * one, twice, rtol=1e-6)


def test_he_layers_have_the_variance_of_their_formula():
    """z of the mean square of 10,000 normal numbers; |z| < 4.5 has a false alarm of 7e-6."""
    weights, bias = he_layer(200, 50, 1.5, KEY)
    mean_square = np.square(np.asarray(weights, np.float64)).mean() / (1.5**2 * 2 / 50)
    assert abs(mean_square - 1) / np.sqrt(2 / 10_000) < 4.5
    assert not np.asarray(bias).any()


def test_what_a_block_adds_starts_smaller_by_the_root_of_their_number():
    """Mean squares of 4096 normal numbers or more; 4.5 standard errors, false alarm < 3e-5."""
    _, blocks, _ = quick(residual(8, 2, 32, 4).init)(KEY)
    _, _, levels, _ = quick(transformer(5, 4, 64, 2).init)(KEY)
    sums = [(32, 1, [b[0] for b in blocks]), (32, 4, [b[1] for b in blocks])]
    sums += [(64, 4, [level[1] for level in levels]), (256, 4, [level[3] for level in levels])]
    sums += [(64, 1, [level[k] for level in levels]) for k in (0, 2)]
    for inputs, layers, drawn in sums:
        weights = np.stack([np.asarray(weights, np.float64) for weights, _ in drawn])
        z = (np.square(weights).mean() * inputs * layers / 2 - 1) * np.sqrt(weights.size / 2)
        assert abs(z) < 4.5


def test_parameters_are_those_of_the_closed_forms():
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
    shapes = jax.tree.leaves(jax.eval_shape(task.init, KEY))
    assert task.facts.parameters == sum(leaf.size for leaf in shapes)
    start = float(quick(lambda key: task.loss(task.init(key), task.splits.validation))(KEY))
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
        assert size(named(Hyper(network=name))) > 0
    assert network(Hyper(), 64, 4) is network(Hyper(network="mlp"), 64, 4)
    assert network(Hyper(), 7, 7, window=6) is network(Hyper(network="gru"), 7, 7, window=6)
    assert network(Hyper(), 64, 4, width=9) is network(Hyper(width=9), 64, 4)
