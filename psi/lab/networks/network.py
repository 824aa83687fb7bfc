"""A network is two pure functions: one makes its parameters, the other computes its outputs."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float, Key, PyTree, Shaped

Params = PyTree[Float[Array, "..."]]


class Network(NamedTuple):
    """A network without state: initial parameters from a key, outputs from parameters and rows."""

    init: Callable[[Key[Array, ""]], Params]
    """key → parameters"""
    apply: Callable[[Params, Shaped[Array, "..."]], Float[Array, "outputs ..."]]
    """(parameters, inputs with rows first) → outputs with rows *last*, one output after the other:
    a population's many small products run faster in this layout."""
