"""Dense layers, embeddings and perceptrons of padded sizes.

`Axis` says which features of a padded axis are real. Initial weights W of n inputs and m outputs,
drawn for the sizes without padding:

    he       N(0, 2/n), b = 0                               He et al. 2015, arXiv 1502.01852
    pytorch  W, b ~ U(−1/√n, 1/√n)                          torch.nn.Linear
    keras    U(−√(6/(n + m)), √(6/(n + m))), b = 0          Glorot & Bengio 2010
    flax     N(0, 1/n) cut at two deviations, b = 0         LeCun et al. 1998
    mup      N(0, 1/n), of the last layer N(0, 1/n²), b = 0 Yang et al. 2022, arXiv 2203.03466

An embedding is N(0, 1), of keras U(−0.05, 0.05), of flax N(0, 1/size).
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from psi.atlas.description import ACTIVATIONS, INITIALISATIONS
from psi.atlas.padding import Shape
from psi.lab.networks.mlp import Layer, dense
from psi.lab.networks.network import Params

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


def axis(most: int, count: Int[Array, ""]) -> Axis:
    """The first `count` of `most` are real."""
    return (jnp.arange(most) < count).astype(float)


def is_level(sizes: Sizes, k: int) -> Float[Array, ""]:
    """1 for a level that the task's network has, 0 for one beyond its depth: its weights are 0."""
    return jnp.asarray(k < sizes.depth, float)


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
    kind = sizes.initialisation
    one, *keys, two = jax.random.split(key, shape.depth + 1)
    first = init_dense(kind, units, inputs, one)
    more = [
        init_dense(kind, units * is_level(sizes, level), units, k)
        for level, k in enumerate(keys, start=1)
    ]
    last = init_dense(kind, outputs, units, two, last=True)
    return first, more, last


def perceptron(shape: Shape, sizes: Sizes, params: Params, h: Float[Array, "inputs rows"]) -> Array:
    """The perceptron of `psi.lab.networks.mlp` with at most `shape.depth` hidden layers."""
    units = axis(shape.width, sizes.width)
    first, more, last = params
    h = activated(shape, sizes, units, dense(*first, h))

    for k, layer in enumerate(more, start=1):
        h = jnp.where(k < sizes.depth, activated(shape, sizes, units, dense(*layer, h)), h)
    return dense(*last, h)
