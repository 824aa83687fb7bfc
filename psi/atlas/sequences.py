"""The padded networks that predict each next token: GRU, LSTM and transformer.

As in psi.lab.networks.sequence, with an embedding before the recurrent ones; positions × rows are
the columns of each product.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from psi.atlas.layers import (
    Axis,
    Sizes,
    activated,
    axis,
    init_dense,
    init_embedding,
    is_level,
    normalise,
)
from psi.atlas.padding import Shape
from psi.lab.networks.mlp import Layer, dense
from psi.lab.networks.network import Params
from psi.lab.networks.sequence import HEADS


def columns(table: Array, x: Int[Array, "rows window"]) -> Float[Array, "size columns"]:
    """The vector of each token, positions × rows as columns: a product with one-hot columns."""
    hot = jax.nn.one_hot(x.T, table.shape[1], axis=0, dtype=table.dtype)
    return table @ hot.reshape(table.shape[1], -1)


def _gru(around: Layer, h: Array, x: Array) -> Array:
    """One step h of Cho et al. 2014 (arXiv 1406.1078), the reset applied after the product."""
    (x_r, x_z, x_n), (u_r, u_z, u_n) = jnp.split(x, 3), jnp.split(dense(*around, h), 3)
    z, n = jax.nn.sigmoid(x_z + u_z), jnp.tanh(x_n + jax.nn.sigmoid(x_r + u_r) * u_n)
    return n + z * (h - n)


def _lstm(around: Layer, state: Array, x: Array) -> Array:
    """One step (h, c) of Hochreiter & Schmidhuber 1997, with forget gates."""
    h, c = jnp.split(state, 2)
    i, f, g, o = jnp.split(x + dense(*around, h), 4)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jnp.concatenate([jax.nn.sigmoid(o) * jnp.tanh(c), c])


CELLS: dict[str, tuple[int, int, Callable[..., Array]]] = {
    "gru": (3, 1, _gru),
    "lstm": (4, 2, _lstm),
}
"""Gates, vectors of the state, and a step."""


def recurrent_init(shape: Shape, sizes: Sizes, key: Key[Array, ""]) -> Params:
    """(embedding, two layers a level: of its inputs and of its state, the layer of the logits)."""
    gates = CELLS[shape.network][0]
    table, last, *keys = jax.random.split(key, shape.depth + 2)
    units, vocabulary = axis(shape.width, sizes.width), axis(shape.outputs, sizes.outputs)
    gated, kind = jnp.tile(units, gates), sizes.initialisation

    def level(k: int, key: Key[Array, ""]) -> Params:
        outputs = gated * is_level(sizes, k)
        return tuple(init_dense(kind, outputs, units, one) for one in jax.random.split(key))

    return (
        init_embedding(kind, units, vocabulary, table),
        [level(k, one) for k, one in enumerate(keys)],
        init_dense(kind, vocabulary, units, last, last=True),
    )


def recurrent(shape: Shape, sizes: Sizes, params: Params, x: Int[Array, "rows window"]) -> Array:
    """Levels of recurrence over positions, then the logits of each position's next token."""
    _, vectors, step = CELLS[shape.network]
    table, levels, last = params
    rows, window = x.shape

    def level(k: int, h: Array) -> Array:
        inward, around = levels[k]
        sums = dense(*inward, h).reshape(-1, window, rows).swapaxes(0, 1)

        def one(state: Array, inputs: Array) -> tuple[Array, Array]:
            state = step(around, state, inputs)
            return state, state[: shape.width]

        start = jnp.zeros((vectors * shape.width, rows))
        return jax.lax.scan(one, start, sums)[1].swapaxes(0, 1).reshape(shape.width, -1)

    h = level(0, columns(table, x))
    for k in range(1, shape.depth):
        h = jnp.where(k < sizes.depth, level(k, h), h)
    return dense(*last, h).reshape(-1, window, rows).swapaxes(1, 2)


def _heads(shape: Shape, sizes: Sizes) -> Axis:
    """Which of width = heads × size are real."""
    return jnp.tile(axis(shape.width // HEADS, sizes.width // HEADS), HEADS)


def transformer_init(shape: Shape, sizes: Sizes, key: Key[Array, ""]) -> Params:
    """(tokens, positions, four layers a block, the layer of the logits)."""
    token, position, last, *keys = jax.random.split(key, shape.depth + 3)
    units, vocabulary = _heads(shape, sizes), axis(shape.outputs, sizes.outputs)
    kind, inner = sizes.initialisation, jnp.tile(units, 4)

    def block(level: int, key: Key[Array, ""]) -> Params:
        (look, mix, inward, outward), real = jax.random.split(key, 4), is_level(sizes, level)
        return (
            init_dense(kind, jnp.tile(units, 3) * real, units, look),
            init_dense(kind, units * real, units, mix),
            init_dense(kind, inner * real, units, inward),
            init_dense(kind, units * real, inner, outward),
        )

    return (
        init_embedding(kind, units, vocabulary, token),
        init_embedding(kind, units, axis(shape.inputs, sizes.inputs), position),
        [block(level, k) for level, k in enumerate(keys)],
        init_dense(kind, vocabulary, units, last, last=True),
    )


def _attention(qkv: Array, rows: int, size: Array) -> Array:
    """softmax(qᵀk/√size) v, causal; Vaswani et al. 2017 (arXiv 1706.03762)."""
    q, k, v = qkv.reshape(3, HEADS, -1, qkv.shape[1] // rows, rows)
    scores = jnp.einsum("hdqr,hdkr->hrqk", q, k) / jnp.sqrt(size)
    visible = jnp.tril(jnp.ones(scores.shape[-2:], bool))[None, None]
    weights = jax.nn.softmax(jnp.where(visible, scores, -jnp.inf), axis=-1)
    return jnp.einsum("hrqk,hdkr->hdqr", weights, v).reshape(-1, qkv.shape[1])


def transformer(shape: Shape, sizes: Sizes, params: Params, x: Int[Array, "rows window"]) -> Array:
    """Pre-norm blocks as in psi.lab.networks.sequence, positions before rows in the columns."""
    tokens, positions, blocks, last = params
    (rows, window), units = x.shape, _heads(shape, sizes)
    h = columns(tokens, x).reshape(-1, window, rows) + positions[:, :, None]
    h = h.reshape(shape.width, -1)

    def block(h: Array, layers: Params) -> Array:
        look, mix, inward, outward = layers
        seen = _attention(dense(*look, normalise(units, h)), rows, sizes.width / HEADS)
        h = h + dense(*mix, seen)
        inner = activated(shape, sizes, jnp.tile(units, 4), dense(*inward, normalise(units, h)))
        return h + dense(*outward, inner)

    for k, layers in enumerate(blocks):
        h = jnp.where(k < sizes.depth, block(h, layers), h)
    return dense(*last, normalise(units, h)).reshape(-1, window, rows).swapaxes(1, 2)
