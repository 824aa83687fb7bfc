"""What a network is: two pure functions."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float, Key, PyTree, Shaped

Params = PyTree[Float[Array, "..."]]


class Network(NamedTuple):
    """A network as a pair of pure functions."""

    init: Callable[[Key[Array, ""]], Params]
    """key → parameters"""
    apply: Callable[[Params, Shaped[Array, "..."]], Float[Array, "outputs ..."]]
    """(parameters, inputs with rows first) → outputs with rows *last*: class by class, which is
    how a population's many small products run fast (networks/mlp.py)."""
