"""A residual network of dense layers.

    h ← W_0 x + b_0,    h ← h + W_2 act(W_1 h + b_1) + b_2  in each block,    outputs W h + b

After He et al. 2016 (arXiv 1603.05027): what runs through is an identity. With normalisation a
block reads the layer-normalised h. The W_2 of B blocks start 1/√B smaller, so that what they add
together does not grow with depth (Radford et al. 2019, section 2.3).
"""

import math
from functools import cache, partial

import jax
from jaxtyping import Array, Float, Key

from psi.lab.networks.mlp import ACTIVATIONS, Hidden, dense, he_layer, normalise
from psi.lab.networks.network import Network, Params


def residual_init(
    inputs: int, outputs: int, width: int, depth: int, scale: float, key: Key[Array, ""]
) -> Params:
    """He layers: the first, two a block, the last."""
    first, *inner, last = jax.random.split(key, 2 * depth + 2)
    blocks = [
        (he_layer(width, width, scale, a), he_layer(width, width, scale / math.sqrt(depth), b))
        for a, b in zip(inner[::2], inner[1::2], strict=True)
    ]
    return he_layer(width, inputs, scale, first), blocks, he_layer(outputs, width, scale, last)


def residual_apply(
    activation: str, normalised: bool, params: Params, x: Float[Array, "rows inputs"]
) -> Hidden:
    """The formula of this module."""
    act = dict(ACTIVATIONS)[activation]
    first, blocks, last = params
    h = dense(*first, x.T)
    for inward, outward in blocks:
        h = h + dense(*outward, act(dense(*inward, normalise(h) if normalised else h)))
    return dense(*last, h)


@cache
def residual(
    inputs: int,
    outputs: int,
    width: int = 32,
    depth: int = 2,
    activation: str = "relu",
    scale: float = 1.0,
    normalised: bool = False,
) -> Network:
    """`depth` blocks of two layers, `width` units each."""
    return Network(
        partial(residual_init, inputs, outputs, width, depth, scale),
        partial(residual_apply, activation, normalised),
    )
