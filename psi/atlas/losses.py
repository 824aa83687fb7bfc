"""The loss of a padded network on padded rows, and which rows a minibatch has."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from psi.atlas.data import Arrays
from psi.atlas.description import OF_TOKENS
from psi.atlas.layers import Axis, axis
from psi.atlas.networks import KINDS
from psi.atlas.padding import Shape
from psi.atlas.slopes import Smooth, plainly
from psi.lab.engine.training import BLOCK
from psi.lab.networks.network import Params
from psi.lab.tasks.losses import Outputs

PIECE = 16  # windows of a stream of text that are drawn at once
AWAY = -1e9  # added to the logit of a class that is padding


class Chosen(NamedTuple):
    """Rows with their targets; which of them are real."""

    x: Array
    y: Array
    real: Bool[Array, " rows"]


def losses(shape: Shape, arrays: Arrays, params: Params, rows: Chosen) -> Float[Array, " rows"]:
    """The loss of each row, 0 of padding: cross-entropy, or half the squared error.

    Of a window, the mean over its positions where each has a prediction.
    """
    outputs = KINDS[shape.network].apply(shape, arrays.sizes, params, rows.x)
    each = cross_entropies(outputs, rows.y, axis(shape.outputs, arrays.sizes.outputs))
    if shape.network in OF_TOKENS and each.ndim == 2:
        seen = axis(shape.inputs, arrays.sizes.inputs)
        each = (each * seen[None]).sum(1) / seen.sum()
    elif shape.network not in OF_TOKENS:
        squares = jnp.square(outputs[0] - rows.y) / 2
        each = jnp.where(arrays.regression, squares, each)
    return jnp.where(rows.real, each, 0)


def cross_entropies(logits: Outputs, y: Shaped[Array, "..."], real: Axis) -> Float[Array, "..."]:
    """−log softmax(logits)_y over the classes that are real."""
    away = jnp.where(real > 0, 0.0, AWAY).reshape(-1, *[1] * (logits.ndim - 1))
    logits = logits + away
    shifted = logits - jax.lax.stop_gradient(logits.max(0, keepdims=True))
    hot = jax.nn.one_hot(y.astype(int), logits.shape[0], axis=0, dtype=logits.dtype)
    return jnp.log(jnp.exp(shifted).sum(0)) - (hot * shifted).sum(0)


def block_of_rows(
    shape: Shape, arrays: Arrays, order: Array, key: Key[Array, ""], at: tuple[Array, Array, Array]
) -> Chosen:
    """`shape.block` rows of minibatch s of epoch i, from its row n on; (i, s, n) = `at`.

    n is a multiple of PIECE. Rows come in the order of the seed; of a stream of text, windows from
    anywhere.
    """
    i, s, first = at
    within = first + jnp.arange(shape.block)
    real, place = within < arrays.batch, s * arrays.batch + within
    whole = jnp.where(arrays.stream, arrays.steps * arrays.batch, arrays.rows)
    row = order[jnp.minimum(i * whole + place, len(order) - 1)].astype(int)
    if shape.network not in OF_TOKENS:
        return Chosen(*rows_at(shape, arrays, row), real)
    # In pieces, so that the windows are the same whatever the block.
    pieces = first // PIECE + jnp.arange(shape.block // PIECE)
    draw = partial(jax.random.fold_in, jax.random.fold_in(key, i * arrays.steps + s))
    some = lambda k: jax.random.randint(draw(k), (PIECE,), 0, arrays.rows - shape.inputs)  # noqa: E731
    anywhere = jax.vmap(some)(pieces).reshape(-1)
    starts = jnp.where(arrays.stream, anywhere, row * arrays.sizes.inputs)
    return Chosen(*_windows(shape, arrays, starts), real)


def rows_at(shape: Shape, arrays: Arrays, row: Int[Array, " rows"]) -> tuple[Array, Array]:
    """(x, y) of training rows by number; of a text, of its windows side by side."""
    if shape.network in OF_TOKENS:
        return _windows(shape, arrays, row * arrays.sizes.inputs)
    return arrays.x[row], arrays.y[row]


def _windows(shape: Shape, arrays: Arrays, starts: Array) -> tuple[Array, Array]:
    """The windows of a text that begin there, and what comes next."""
    at = starts[:, None] + jnp.arange(shape.inputs)[None]
    if shape.network == "embedding":
        return arrays.x[at], arrays.y[starts + arrays.sizes.inputs - 1]
    return arrays.x[at], arrays.y[at]


def mean_loss(
    shape: Shape,
    arrays: Arrays,
    params: Params,
    rows: Callable[[Int[Array, " rows"]], tuple[Array, Array]],
    count: Int[Array, ""],
    smooth: Smooth = plainly,
) -> Float[Array, ""]:
    """The mean loss over rows 0 … count − 1, (x, y) = rows(numbers), block after block.

    With `by_reverse` it has a forward derivative.
    """

    def add(block: Array, total: Array) -> Array:
        row = block * BLOCK + jnp.arange(BLOCK)
        chosen = Chosen(*rows(row), row < count)  # beyond the array its last row is read
        loss = smooth(lambda params: losses(shape, arrays, params, chosen).sum())
        return total + loss(params)

    return jax.lax.fori_loop(0, -(-count // BLOCK), add, jnp.zeros(())) / count
