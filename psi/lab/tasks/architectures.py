"""The network that hyperparameters name, for given inputs and outputs."""

from psi.lab.config import Hyper
from psi.lab.networks import mlp
from psi.lab.task import Network


def network(
    hyper: Hyper, inputs: int, outputs: int, image: tuple[int, int] | None = None
) -> Network:
    """The network of `hyper.network` (mlp where none is named).

    `image` is (height, width) where a row's inputs are one. Raises ValueError for a network that
    cannot take these inputs.
    """
    kind = hyper.network or "mlp"
    width, depth = hyper.width or 32, hyper.depth or 1
    if kind == "linear":
        return mlp(inputs, outputs, depth=0, scale=hyper.init_scale)
    if kind == "mlp":
        return mlp(
            inputs, outputs, width, depth, hyper.activation, hyper.init_scale, hyper.normalised
        )
    raise ValueError(f"network {kind} cannot take rows of {inputs} numbers; allowed: linear, mlp")
