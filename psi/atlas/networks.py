"""The networks of the atlas, padded: (init, apply) whose sizes are numbers given at run time.

Layout and dense layer are those of psi.lab.networks: weights (outputs, inputs), features first and
rows last.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from psi.atlas.description import EMBEDDED, INITIALISATIONS, STAGES
from psi.atlas.layers import (
    Axis,
    Sizes,
    activated,
    axis,
    init_dense,
    init_embedding,
    is_level,
    normalise,
    perceptron,
    perceptron_init,
)
from psi.atlas.padding import Shape
from psi.atlas.sequences import columns, recurrent, recurrent_init, transformer, transformer_init
from psi.lab.networks.convolution import patches
from psi.lab.networks.initialisation import DRAWS
from psi.lab.networks.mlp import dense
from psi.lab.networks.network import Params


class Padded(NamedTuple):
    """A kind of network."""

    init: Callable[[Shape, Sizes, Key[Array, ""]], Params]
    apply: Callable[[Shape, Sizes, Params, Array], Array]
    """(shape, sizes, parameters, x) → outputs, shape=(outputs, *rows)"""


def _row_inputs(shape: Shape, sizes: Sizes) -> Axis:
    return axis(shape.inputs, sizes.inputs)


def _linear_init(shape: Shape, sizes: Sizes, key: Key[Array, ""]) -> Params:
    outputs = axis(shape.outputs, sizes.outputs)
    return init_dense(sizes.initialisation, outputs, _row_inputs(shape, sizes), key)


def _linear(shape: Shape, sizes: Sizes, params: Params, x: Float[Array, "rows inputs"]) -> Array:
    del shape, sizes
    return dense(*params, x.T)


def _mlp_init(shape: Shape, sizes: Sizes, key: Key[Array, ""]) -> Params:
    return perceptron_init(_row_inputs(shape, sizes), shape, sizes, key)


def _mlp(shape: Shape, sizes: Sizes, params: Params, x: Float[Array, "rows inputs"]) -> Array:
    return perceptron(shape, sizes, params, x.T)


def _residual_init(shape: Shape, sizes: Sizes, key: Key[Array, ""]) -> Params:
    """(first layer, (W_1, W_2) of each block, last layer).

    As the lab draws them: the W_2 of B blocks are 1/√B smaller, but for frameworks' own draws.
    """
    units, outputs = axis(shape.width, sizes.width), axis(shape.outputs, sizes.outputs)
    kind = sizes.initialisation
    one, *keys, two = jax.random.split(key, 2 * shape.depth + 2)
    own = jnp.array([name not in DRAWS for name in INITIALISATIONS])[kind]
    smaller = jnp.where(own, 1 / jnp.sqrt(sizes.depth), 1.0)
    blocks = []
    for level, (inward, outward) in enumerate(zip(keys[::2], keys[1::2], strict=True)):
        real = units * is_level(sizes, level)
        weights, bias = init_dense(kind, real, units, outward)
        blocks.append((init_dense(kind, real, units, inward), (smaller * weights, bias)))
    first = init_dense(kind, units, _row_inputs(shape, sizes), one)
    return first, blocks, init_dense(kind, outputs, units, two, last=True)


def _residual(shape: Shape, sizes: Sizes, params: Params, x: Float[Array, "rows inputs"]) -> Array:
    """As `psi.lab.networks.residual`: h ← h + W_2 act(W_1 norm(h) + b_1) + b_2 in each block."""
    units = axis(shape.width, sizes.width)
    first, blocks, last = params
    h = dense(*first, x.T)
    plain = shape._replace(normalised=False)  # it is the block's input that is normalised
    for level, (inward, outward) in enumerate(blocks):
        seen = normalise(units, h, sizes.normalised) if shape.normalised else h
        # A block beyond the depth has weights of 0, and no gradient may reach them.
        inner = activated(plain, sizes, units, dense(*inward, seen))
        h = h + is_level(sizes, level) * dense(*outward, inner)
    return dense(*last, h)


def _channels(shape: Shape, sizes: Sizes) -> tuple[Axis, Axis, Axis]:
    """Channels of the image and of both stages."""
    return jnp.ones(1), axis(shape.width, sizes.width), axis(2 * shape.width, 2 * sizes.width)


def _cnn_init(shape: Shape, sizes: Sizes, key: Key[Array, ""]) -> Params:
    *keys, last = jax.random.split(key, STAGES + 1)
    channels, outputs = _channels(shape, sizes), axis(shape.outputs, sizes.outputs)
    patch = [jnp.tile(inputs, 9) for inputs in channels]
    kind = sizes.initialisation
    stages = [init_dense(kind, channels[k + 1], patch[k], key) for k, key in enumerate(keys)]
    pixels = shape.inputs // 4**STAGES
    return stages, init_dense(kind, outputs, jnp.repeat(channels[-1], pixels), last, last=True)


def _cnn(shape: Shape, sizes: Sizes, params: Params, x: Float[Array, "rows pixels"]) -> Array:
    """Two stages of 3×3 convolution, activation and mean pooling, then a dense layer."""
    stages, last = params
    side, rows = math.isqrt(shape.inputs), x.shape[0]
    h = x.T.reshape(1, side, side, rows)
    for channels, layer in zip(_channels(shape, sizes)[1:], stages, strict=True):
        windows = patches(h)
        flat = activated(
            shape, sizes, channels, dense(*layer, windows.reshape(windows.shape[0], -1))
        )
        _, height, width, _ = h.shape
        h = flat.reshape(-1, height // 2, 2, width // 2, 2, rows).mean((2, 4))
    return dense(*last, h.reshape(-1, rows))


def _embedding_init(shape: Shape, sizes: Sizes, key: Key[Array, ""]) -> Params:
    one, two = jax.random.split(key)
    vocabulary = axis(shape.outputs, sizes.outputs)
    table = init_embedding(sizes.initialisation, jnp.ones(EMBEDDED), vocabulary, one)
    inputs = jnp.tile(axis(shape.inputs, sizes.inputs), EMBEDDED)
    return table, perceptron_init(inputs, shape, sizes, two)


def _embedding(shape: Shape, sizes: Sizes, params: Params, x: Int[Array, "rows window"]) -> Array:
    """A perceptron on the vectors of the last tokens."""
    table, layers = params
    h = columns(table, x).reshape(EMBEDDED, shape.inputs, -1)
    h = h * axis(shape.inputs, sizes.inputs)[None, :, None]
    return perceptron(shape, sizes, layers, h.reshape(-1, x.shape[0]))


KINDS: dict[str, Padded] = {
    "linear": Padded(_linear_init, _linear),
    "mlp": Padded(_mlp_init, _mlp),
    "residual": Padded(_residual_init, _residual),
    "cnn": Padded(_cnn_init, _cnn),
    "embedding": Padded(_embedding_init, _embedding),
    "gru": Padded(recurrent_init, recurrent),
    "lstm": Padded(recurrent_init, recurrent),
    "transformer": Padded(transformer_init, transformer),
}
