"""The networks of the atlas, padded: (init, apply) whose sizes are numbers given at run time.

Layout and dense layer are those of psi.lab.networks: weights (outputs, inputs), features first and
rows last. `Axis` says which features of a padded axis are real. Initial weights W of n inputs and m
outputs, drawn for the sizes without padding:

    he       N(0, 2/n), b = 0                               He et al. 2015, arXiv 1502.01852
    pytorch  W, b ~ U(−1/√n, 1/√n)                          torch.nn.Linear
    keras    U(−√(6/(n + m)), √(6/(n + m))), b = 0          Glorot & Bengio 2010
    flax     N(0, 1/n) cut at two deviations, b = 0         LeCun et al. 1998
    mup      N(0, 1/n), of the last layer N(0, 1/n²), b = 0 Yang et al. 2022, arXiv 2203.03466

An embedding is N(0, 1), of keras U(−0.05, 0.05), of flax N(0, 1/size).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from psi.atlas.description import ACTIVATIONS, EMBEDDED, INITIALISATIONS, STAGES
from psi.atlas.padding import Shape
from psi.lab.networks.convolution import patches
from psi.lab.networks.mlp import Layer, dense
from psi.lab.networks.network import Params
from psi.lab.networks.sequence import HEADS

Axis = Float[Array, " padded"]
"""1 for what is real, 0 for padding."""


class Sizes(NamedTuple):
    """A task's network as numbers, shape=() each; numpy's or JAX's."""

    inputs: Any
    outputs: Any
    width: Any
    depth: Any
    activation: Any
    """Its place in ACTIVATIONS, as that of …"""
    initialisation: Any
    """… in INITIALISATIONS."""
    normalised: Any


class Padded(NamedTuple):
    """A kind of network."""

    init: Callable[[Shape, Sizes, Key[Array, ""]], Params]
    apply: Callable[[Shape, Sizes, Params, Array], Array]
    """(shape, sizes, parameters, x) → outputs, shape=(outputs, *rows)"""


def axis(most: int, count: Int[Array, ""]) -> Axis:
    """The first `count` of `most` are real."""
    return (jnp.arange(most) < count).astype(float)


def init_dense(
    kind: Int[Array, ""], outputs: Axis, inputs: Axis, key: Key[Array, ""], last: bool = False
) -> Layer:
    """A dense layer of the initialisation of that number."""
    n, m = inputs.sum(), outputs.sum()
    deviations = {
        "he": jnp.sqrt(2 / n),
        "pytorch": jnp.sqrt(1 / (3 * n)),
        "keras": jnp.sqrt(2 / (n + m)),
        "flax": jnp.sqrt(1 / n),
        "mup": 1 / n if last else jnp.sqrt(1 / n),
    }
    deviation = jnp.stack([deviations[name] for name in INITIALISATIONS])[kind]
    one, two = jax.random.split(key)
    shape = (len(outputs), len(inputs))
    weights = deviation * _unit(kind, one, shape) * outputs[:, None] * inputs[None]
    torch = kind == INITIALISATIONS.index("pytorch")
    bias = torch * jax.random.uniform(two, outputs.shape, minval=-1.0) / jnp.sqrt(n)
    return weights, bias * outputs


def _unit(kind: Int[Array, ""], key: Key[Array, ""], shape: tuple[int, int]) -> Array:
    """Draws of variance 1: normal, uniform or cut, as the initialisation has them."""
    normal = jax.random.normal(key, shape)
    uniform = jax.random.uniform(key, shape, minval=-1.0) * math.sqrt(3)
    cut = jax.random.truncated_normal(key, -2.0, 2.0, shape) / 0.87962566103423978
    which = {"pytorch": 1, "keras": 1, "flax": 2}
    codes = jnp.array([which.get(name, 0) for name in INITIALISATIONS])
    return jax.lax.select_n(codes[kind], normal, uniform, cut)


def init_embedding(
    kind: Int[Array, ""], size: Axis, vocabulary: Axis, key: Key[Array, ""]
) -> Float[Array, "size vocabulary"]:
    """A vector for each token."""
    deviations = {"keras": jnp.asarray(0.05 / math.sqrt(3)), "flax": 1 / jnp.sqrt(size.sum())}
    ones = jnp.ones(())
    deviation = jnp.stack([deviations.get(name, ones) for name in INITIALISATIONS])[kind]
    normal_but_keras = jnp.where(kind == INITIALISATIONS.index("keras"), kind, 0)
    drawn = _unit(normal_but_keras, key, (len(size), len(vocabulary)))
    return deviation * drawn * size[:, None] * vocabulary[None]


def activated(shape: Shape, sizes: Sizes, units: Axis, h: Float[Array, "features rows"]) -> Array:
    """a(h), or a of the layer-normalised h, of the real units.

    Without branches, which XLA cannot fuse and JAX cannot differentiate without keeping what every
    branch needs: one tanh serves both tanh and GELU, √(2/π) (h + 0.0447 h³) its argument there.
    """
    h = normalise(units, h, sizes.normalised) if shape.normalised else h
    relu, gelu = (sizes.activation == ACTIVATIONS.index(name) for name in ("relu", "gelu"))
    bent = math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)
    curve = jnp.tanh(jnp.where(gelu, bent, h))
    return jnp.where(relu, jnp.maximum(h, 0), jnp.where(gelu, h * (1 + curve) / 2, curve))


def normalise(
    units: Axis, h: Float[Array, "features rows"], wanted: Bool[Array, ""] | bool = True
) -> Array:
    """Layer normalisation over the real units (Ba et al. 2016, arXiv 1607.06450), if wanted."""
    count, mask = units.sum(), units[:, None]
    # Masked before it is added up: the mean would pass a gradient on to padding.
    mean = jnp.where(wanted, (h * mask).sum(0) / count, 0)
    centred = (h - mean[None]) * mask
    spread = jax.lax.rsqrt(jnp.square(centred).sum(0) / count + 1e-5)
    return centred * jnp.where(wanted, spread, 1)[None]


def perceptron_init(inputs: Axis, shape: Shape, sizes: Sizes, key: Key[Array, ""]) -> Params:
    """(first layer, further hidden layers, last layer)."""
    units, outputs = axis(shape.width, sizes.width), axis(shape.outputs, sizes.outputs)
    one, *keys, two = jax.random.split(key, shape.depth + 1)
    first = init_dense(sizes.initialisation, units, inputs, one)
    more = [init_dense(sizes.initialisation, units, units, k) for k in keys]
    last = init_dense(sizes.initialisation, outputs, units, two, last=True)
    return first, more, last


def perceptron(shape: Shape, sizes: Sizes, params: Params, h: Float[Array, "inputs rows"]) -> Array:
    """The perceptron of `psi.lab.networks.mlp` with at most `shape.depth` hidden layers."""
    units = axis(shape.width, sizes.width)
    first, more, last = params
    h = activated(shape, sizes, units, dense(*first, h))

    for k, layer in enumerate(more, start=1):
        h = jnp.where(k < sizes.depth, activated(shape, sizes, units, dense(*layer, h)), h)
    return dense(*last, h)


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


def _columns(table: Array, x: Int[Array, "rows window"]) -> Float[Array, "size columns"]:
    """The vector of each token, positions × rows as columns: a product with one-hot columns."""
    hot = jax.nn.one_hot(x.T, table.shape[1], axis=0, dtype=table.dtype)
    return table @ hot.reshape(table.shape[1], -1)


def _embedding_init(shape: Shape, sizes: Sizes, key: Key[Array, ""]) -> Params:
    one, two = jax.random.split(key)
    vocabulary = axis(shape.outputs, sizes.outputs)
    table = init_embedding(sizes.initialisation, jnp.ones(EMBEDDED), vocabulary, one)
    inputs = jnp.tile(axis(shape.inputs, sizes.inputs), EMBEDDED)
    return table, perceptron_init(inputs, shape, sizes, two)


def _embedding(shape: Shape, sizes: Sizes, params: Params, x: Int[Array, "rows window"]) -> Array:
    """A perceptron on the vectors of the last tokens."""
    table, layers = params
    h = _columns(table, x).reshape(EMBEDDED, shape.inputs, -1)
    h = h * axis(shape.inputs, sizes.inputs)[None, :, None]
    return perceptron(shape, sizes, layers, h.reshape(-1, x.shape[0]))


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


def _recurrent_init(shape: Shape, sizes: Sizes, key: Key[Array, ""]) -> Params:
    gates = CELLS[shape.network][0]
    table, last, *keys = jax.random.split(key, shape.depth + 2)
    units, vocabulary = axis(shape.width, sizes.width), axis(shape.outputs, sizes.outputs)
    gated, kind = jnp.tile(units, gates), sizes.initialisation
    levels = [
        tuple(init_dense(kind, gated, units, one) for one in jax.random.split(k)) for k in keys
    ]
    return (
        init_embedding(kind, units, vocabulary, table),
        levels,
        init_dense(kind, vocabulary, units, last, last=True),
    )


def _recurrent(shape: Shape, sizes: Sizes, params: Params, x: Int[Array, "rows window"]) -> Array:
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

    h = level(0, _columns(table, x))
    for k in range(1, shape.depth):
        h = jnp.where(k < sizes.depth, level(k, h), h)
    return dense(*last, h).reshape(-1, window, rows).swapaxes(1, 2)


def _heads(shape: Shape, sizes: Sizes) -> Axis:
    """Which of width = heads × size are real."""
    return jnp.tile(axis(shape.width // HEADS, sizes.width // HEADS), HEADS)


def _transformer_init(shape: Shape, sizes: Sizes, key: Key[Array, ""]) -> Params:
    token, position, last, *keys = jax.random.split(key, shape.depth + 3)
    units, vocabulary = _heads(shape, sizes), axis(shape.outputs, sizes.outputs)
    kind, inner = sizes.initialisation, jnp.tile(units, 4)

    def block(key: Key[Array, ""]) -> Params:
        look, mix, inward, outward = jax.random.split(key, 4)
        return (
            init_dense(kind, jnp.tile(units, 3), units, look),
            init_dense(kind, units, units, mix),
            init_dense(kind, inner, units, inward),
            init_dense(kind, units, inner, outward),
        )

    return (
        init_embedding(kind, units, vocabulary, token),
        init_embedding(kind, units, axis(shape.inputs, sizes.inputs), position),
        [block(k) for k in keys],
        init_dense(kind, vocabulary, units, last, last=True),
    )


def _attention(qkv: Array, rows: int, size: Array) -> Array:
    """softmax(qᵀk/√size) v, causal; Vaswani et al. 2017 (arXiv 1706.03762)."""
    q, k, v = qkv.reshape(3, HEADS, -1, qkv.shape[1] // rows, rows)
    scores = jnp.einsum("hdqr,hdkr->hrqk", q, k) / jnp.sqrt(size)
    visible = jnp.tril(jnp.ones(scores.shape[-2:], bool))[None, None]
    weights = jax.nn.softmax(jnp.where(visible, scores, -jnp.inf), axis=-1)
    return jnp.einsum("hrqk,hdkr->hdqr", weights, v).reshape(-1, qkv.shape[1])


def _transformer(shape: Shape, sizes: Sizes, params: Params, x: Int[Array, "rows window"]) -> Array:
    """Pre-norm blocks as in psi.lab.networks.sequence, positions before rows in the columns."""
    tokens, positions, blocks, last = params
    (rows, window), units = x.shape, _heads(shape, sizes)
    h = _columns(tokens, x).reshape(-1, window, rows) + positions[:, :, None]
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


KINDS: dict[str, Padded] = {
    "linear": Padded(_linear_init, _linear),
    "mlp": Padded(_mlp_init, _mlp),
    "cnn": Padded(_cnn_init, _cnn),
    "embedding": Padded(_embedding_init, _embedding),
    "gru": Padded(_recurrent_init, _recurrent),
    "lstm": Padded(_recurrent_init, _recurrent),
    "transformer": Padded(_transformer_init, _transformer),
}
