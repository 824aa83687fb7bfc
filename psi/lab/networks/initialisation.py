"""Initial weights as the frameworks draw them where nobody asks for others.

He's initialisation is the networks' own. Here each dense layer W h + b is drawn again by the
default of a framework's dense layer with n inputs and m outputs; embeddings stay as they are:

    pytorch   W, b ~ U(−1/√n, 1/√n)                      torch.nn.Linear: 0.41 of He's deviation
    keras     W ~ U(−√(6/(n + m)), √(6/(n + m))), b = 0  Glorot & Bengio 2010
    flax      W ~ N(0, 1/n) cut at two deviations, b = 0 LeCun et al. 1998
"""

import math
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from psi.lab.networks.network import Network, Params

Draw = Callable[[Key[Array, ""], int, int], tuple[Array, Array]]
"""(key, outputs m, inputs n) → (W, b)"""


def _pytorch(key: Key[Array, ""], outputs: int, inputs: int) -> tuple[Array, Array]:
    bound, (one, two) = 1 / math.sqrt(inputs), jax.random.split(key)
    weights = jax.random.uniform(one, (outputs, inputs), minval=-bound, maxval=bound)
    return weights, jax.random.uniform(two, (outputs,), minval=-bound, maxval=bound)


def _keras(key: Key[Array, ""], outputs: int, inputs: int) -> tuple[Array, Array]:
    draw = jax.nn.initializers.glorot_uniform(in_axis=1, out_axis=0)
    return draw(key, (outputs, inputs)), jnp.zeros(outputs)


def _flax(key: Key[Array, ""], outputs: int, inputs: int) -> tuple[Array, Array]:
    draw = jax.nn.initializers.lecun_normal(in_axis=1, out_axis=0)
    return draw(key, (outputs, inputs)), jnp.zeros(outputs)


DRAWS: Mapping[str, Draw] = MappingProxyType({"pytorch": _pytorch, "keras": _keras, "flax": _flax})


@cache
def initialised(network: Network, name: str, scale: float) -> Network:
    """The network with the weights of its dense layers drawn anew, and multiplied by `scale`.

    The same arguments give the same object.
    """
    draw = DRAWS[name]

    def init(key: Key[Array, ""]) -> Params:
        first, again = jax.random.split(key)
        leaves, tree = jax.tree.flatten(network.init(first), is_leaf=_dense)
        keys = jax.random.split(again, len(leaves))
        drawn = [
            _scaled(draw(k, *leaf[0].shape), scale) if _dense(leaf) else leaf
            for k, leaf in zip(keys, leaves, strict=True)
        ]
        return jax.tree.unflatten(tree, drawn)

    return network._replace(init=init)


def _scaled(layer: tuple[Array, Array], scale: float) -> tuple[Array, Array]:
    return scale * layer[0], layer[1]


def _dense(node: Any) -> bool:
    """Whether a part of a network's parameters is a dense layer: (W, b) of as many rows."""
    return (
        isinstance(node, tuple)
        and [getattr(part, "ndim", None) for part in node] == [2, 1]
        and len(node[0]) == len(node[1])
    )
