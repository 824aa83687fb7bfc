"""What tests of networks compare with: plain numpy, one row at a time, in float64."""

from functools import partial

import jax
import numpy as np

from psi.lab.tasks.losses import cross_entropy

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


def numbers():
    """Rows of 64 numbers, and labels of 4 classes."""
    rng = np.random.default_rng(6)
    return rng.normal(size=(ROWS, 64)).astype(np.float32), rng.integers(0, 4, ROWS).astype(np.int32)


def tokens():
    """Windows, and the token that follows each position."""
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, VOCABULARY, (2, ROWS, WINDOW)).astype(np.int32)
    return x, y


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


def check_outputs_and_gradients(net, plain, x, y):
    """Of two lanes; gradients along a random direction of every array, by central differences."""
    x = x if np.issubdtype(x.dtype, np.integer) else x.astype(np.float64)
    lanes = [jax.tree.map(np.float64, weights_for(net, seed)) for seed in (1, 2)]
    with jax.enable_x64(True):
        step = jax.value_and_grad(partial(loss_and_outputs, net), has_aux=True)
        stacked = jax.tree.map(lambda *a: np.stack(a), *lanes)
        (losses, outputs), grads = quick(jax.vmap(step, (0, None, None)))(stacked, x, y)
        outputs, grads = np.asarray(outputs), [np.asarray(a) for a in jax.tree.leaves(grads)]
    assert outputs.shape[1:] == ((VOCABULARY, ROWS, WINDOW) if x.dtype.kind == "i" else (4, ROWS))
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


def check_single_precision(net, plain, x, y):
    params = weights_for(net)
    outputs = quick(net.apply)(params, x)
    assert outputs.dtype == np.float32
    expected = plain_loss(plain, jax.tree.map(np.float64, params), x, y)[1]
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=2e-5)


def check_products_alone(net, x, y):
    """Either, or the scatter that is its gradient, would be slow once lanes are vmapped."""
    params = jax.eval_shape(jax.vmap(net.init), jax.random.split(KEY, 2))
    step = jax.vmap(
        jax.value_and_grad(partial(loss_and_outputs, net), has_aux=True), (0, None, None)
    )
    program = str(jax.make_jaxpr(step)(params, x, y))
    assert "dot_general" in program
    assert not [word for word in ("gather", "scatter", "conv_general") if word in program]


def check_rows_independent(net, x):
    """No output of a row depends on another row."""
    params = weights_for(net)
    apply = jax.jit(net.apply)
    swapped, own = np.asarray(apply(params, x[::-1])), np.asarray(apply(params, x))
    np.testing.assert_allclose(swapped[:, ::-1], own, rtol=1e-4, atol=1e-5)
    other = x.copy()
    other[0] = (other[0] + 1) % VOCABULARY
    changed = np.asarray(apply(params, other))
    np.testing.assert_array_equal(changed[:, 1:], own[:, 1:])
    assert (changed[:, 0] != own[:, 0]).any()
