"""A convolutional network whose convolutions are matrix products with image patches.

Each stage is a 3×3 convolution with zero padding, an activation and 2×2 mean pooling (LeCun et
al. 1998, "Gradient-based learning applied to document recognition"); each stage has twice the
channels of the one before, and a dense layer follows the last. A convolution is W · patches with
W (channels, 9 · channels before) and positions × rows as the columns. Under vmap over lanes
(networks trained side by side) these are plain products, and since lanes share the images, the
first stage is one product for all of them. On two cores a population on 8×8 digits ran three times
as fast as with XLA's own convolution, which vmap turns into a grouped one.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from psi.lab.networks.mlp import ACTIVATIONS, Hidden, Layer, dense, he_layer, normalise
from psi.lab.networks.network import Network, Params

SIDE = 3  # pixels: height and width of a patch
Image = Float[Array, "channels height width rows"]
Halved = Float[Array, "outputs half_height half_width rows"]


def patches(h: Image) -> Float[Array, "patch height width rows"]:
    """The 3×3 window around each pixel, zeros beyond the border; channels vary fastest."""
    _, height, width, _ = h.shape
    padded = jnp.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0)))
    # Static slices: a gather, and the scatter that is its gradient, are slow on a CPU.
    shifted = [padded[:, i : i + height, j : j + width] for i in range(SIDE) for j in range(SIDE)]
    return jnp.concatenate(shifted)


def stage(activation: str, normalised: bool, layer: Layer, h: Image) -> Halved:
    """Convolution, layer normalisation over channels if asked, activation, 2×2 mean pooling."""
    _, height, width, rows = h.shape
    windows = patches(h)
    h = dense(*layer, windows.reshape(windows.shape[0], -1))
    h = dict(ACTIVATIONS)[activation](normalise(h) if normalised else h)
    return h.reshape(-1, height // 2, 2, width // 2, 2, rows).mean((2, 4))


def cnn_init(
    image: tuple[int, int], outputs: int, width: int, depth: int, scale: float, key: Key[Array, ""]
) -> Params:
    """(one He layer a stage, the last dense layer)."""
    *keys, last = jax.random.split(key, depth + 1)
    channels = [1, *(width * 2**k for k in range(depth))]
    layers = [
        he_layer(channels[k + 1], SIDE**2 * channels[k], scale, key) for k, key in enumerate(keys)
    ]
    features = image[0] * image[1] // 4**depth * channels[-1]
    return layers, he_layer(outputs, features, scale, last)


def cnn_apply(
    image: tuple[int, int],
    activation: str,
    normalised: bool,
    params: Params,
    x: Float[Array, "rows inputs"],
) -> Hidden:
    """The stages, then a dense layer over all pixels and channels; a row of x is one image."""
    layers, last = params
    h = x.T.reshape(1, *image, -1)
    for layer in layers:
        h = stage(activation, normalised, layer, h)
    return dense(*last, h.reshape(-1, x.shape[0]))


@cache
def cnn(
    image: tuple[int, int],
    outputs: int,
    width: int = 8,
    depth: int = 2,
    activation: str = "relu",
    scale: float = 1.0,
    normalised: bool = False,
) -> Network:
    """A network of `depth` stages for images of (height, width), `width` channels in the first.

    Raises ValueError unless 2^depth divides both sides of the image, since each stage halves them.
    """
    if any(side % 2**depth for side in image):
        raise ValueError(
            f"a CNN of depth {depth} needs images whose sides 2^depth = {2**depth} divides, "
            f"got {image[0]}×{image[1]}"
        )
    return Network(
        partial(cnn_init, image, outputs, width, depth, scale),
        partial(cnn_apply, image, activation, normalised),
    )
