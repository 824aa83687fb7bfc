"""A residual network of dense layers.

    h ← W_0 x + b_0,    h ← h + W_2 act(W_1 h + b_1) + b_2  in each block,    outputs W h + b

After He et al. 2016 (arXiv 1603.05027): the shortcut past a block is the identity. With
normalisation a block reads the layer-normalised h. The W_2 of B blocks start 1/√B smaller, so that
their sum does not grow with depth (Radford et al. 2019, section 2.3).
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
    """(first layer, (W_1, W_2) of each block, last layer), all with He initialisation."""
    first, *inner, last = jax.random.split(key, 2 * depth + 2)
    blocks = [
        (he_layer(width, width, scale, a), he_layer(width, width, scale / math.sqrt(depth), b))
        for a, b in zip(inner[::2], inner[1::2], strict=True)
    ]
    return he_layer(width, inputs, scale, first), blocks, he_layer(outputs, width, scale, last)


def residual_apply(
    activation: str, normalised: bool, params: Params, x: Float[Array, "rows inputs"]
) -> Hidden:
    """H ← W_0 x + b_0; h ← h + W_2 act(W_1 h + b_1) + b_2 in each block; then W h + b."""
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
    """A residual network of `depth` blocks, each of two layers of `width` units."""
    return Network(
        partial(residual_init, inputs, outputs, width, depth, scale),
        partial(residual_apply, activation, normalised),
    )
