"""A user's Flax module as a network that the lab trains."""

from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key, Shaped

from psi.lab.networks.network import Network, Params


def from_flax(make: Callable[[nnx.Rngs], nnx.Module]) -> Network:
    """A Flax module as a network; its parameters become a plain nested dict of arrays.

    Args:
        make: builds the module from its random numbers. The module maps inputs of shape (rows, …)
            to outputs of shape (rows, …, outputs).

    Returns:
        The network. Call this once for one kind of module: each call makes functions of its own,
        which are compiled anew.

    Raises:
        ValueError: the module holds anything but parameters (a running mean, random numbers for
            dropout, a constant array), since a loss is a function of parameters and rows alone.

    >>> import jax
    >>> from flax import nnx
    >>> from psi.lab.networks.flax import from_flax
    >>> network = from_flax(lambda rngs: nnx.Linear(3, 2, rngs=rngs))
    >>> network.apply(network.init(jax.random.key(0)), jax.numpy.ones((5, 3))).shape
    (2, 5)
    """
    # Built with arrays, not abstractly, where a constant would pass for a static attribute.
    graph, _, rest = nnx.split(make(nnx.Rngs(0)), nnx.Param, ...)
    _check_none([(path, type(leaf).__name__) for path, leaf in nnx.to_flat_state(rest)])

    def init(key: Key[Array, ""]) -> Params:
        return nnx.to_pure_dict(nnx.split(make(nnx.Rngs(key)), nnx.Param, ...)[1])

    def apply(params: Params, x: Shaped[Array, "..."]) -> Float[Array, "outputs ..."]:
        outputs = nnx.merge(graph, params)(x)
        if outputs.ndim < 2 or outputs.shape[0] != x.shape[0]:
            raise ValueError(
                f"the module must map {x.shape[0]} rows to ({x.shape[0]}, outputs), got shape "
                f"{outputs.shape} from inputs of shape {x.shape}"
            )
        return jnp.moveaxis(outputs, -1, 0)

    return Network(init, apply)


def _check_none(rest: list[tuple[tuple, str]]) -> None:
    """Raise ValueError for what a module holds beside parameters: (path, type) each."""
    others = [f"{'.'.join(map(str, path))} ({kind})" for path, kind in rest]
    if others:
        raise ValueError(
            "a module must hold nnx.Param alone (no batch statistics, no dropout, no constant "
            f"array), got {', '.join(others[:5])}{', …' if len(others) > 5 else ''}"
        )
