"""The network that the hyperparameters name, for given inputs and outputs."""

from psi.lab.hyper import Hyper
from psi.lab.networks.convolution import cnn
from psi.lab.networks.initialisation import initialised
from psi.lab.networks.mlp import mlp
from psi.lab.networks.network import Network
from psi.lab.networks.residual import residual
from psi.lab.networks.sequence import gru, transformer

OF_ROWS = ("linear", "mlp", "residual")
OF_TOKENS = ("gru", "transformer")


def network(
    hyper: Hyper,
    inputs: int,
    outputs: int,
    image: tuple[int, int] | None = None,
    window: int | None = None,
    width: int = 32,
) -> Network:
    """The network of `hyper.network`; where none is named an mlp, or a gru on windows of tokens.

    `image` is (height, width) where a row of inputs is an image. With `window` a row is that many
    tokens out of a vocabulary of `inputs`, and `outputs` must equal `inputs`. `width` is used where
    `hyper` names none; a cnn then has a quarter as many channels, since a channel is computed at
    every pixel. Raises ValueError for a network that cannot take such inputs.
    """
    made = _made(hyper, inputs, outputs, image, window, width)
    if hyper.initialisation in ("", "he"):
        return made
    return initialised(made, hyper.initialisation, hyper.init_scale)


def _made(
    hyper: Hyper,
    inputs: int,
    outputs: int,
    image: tuple[int, int] | None,
    window: int | None,
    width: int,
) -> Network:
    kind = hyper.network or ("gru" if window else "mlp")
    allowed = OF_TOKENS if window else (*OF_ROWS, "cnn") if image else OF_ROWS
    if kind not in allowed:
        what = f"windows of {window} tokens" if window else f"rows of {inputs} numbers"
        raise ValueError(f"network {kind} cannot take {what}; allowed: {', '.join(allowed)}")
    wide, scale = hyper.width or width, hyper.init_scale
    rest = (hyper.activation, scale, hyper.normalised)
    if kind == "linear":
        return mlp(inputs, outputs, depth=0, scale=scale)
    if kind == "residual":
        return residual(inputs, outputs, wide, hyper.depth or 2, *rest)
    if kind == "cnn" and image:
        return cnn(image, outputs, hyper.width or max(1, width // 4), hyper.depth or 2, *rest)
    if kind == "gru":
        return gru(inputs, wide, hyper.depth or 1, scale, hyper.normalised)
    if kind == "transformer" and window:
        return transformer(inputs, window, wide, hyper.depth or 1, *rest)
    return mlp(inputs, outputs, wide, hyper.depth or 1, *rest)
