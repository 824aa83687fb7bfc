"""Derivatives of whole trainings by what their policy is made of, carried forward beside them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax
from jaxtyping import Array, Float

from psi.lab.networks.network import Params
from psi.lab.optimizers import optimizer

ADAM_EPSILON = 1e-8
"""optax's own."""
Smooth = Callable[[Any], Any]
"""What is done to a loss, or to weights, before it is used."""


class Along(NamedTuple):
    """A derivative that is wanted: of what a policy is made of, in one direction."""

    at: Float[Array, "*lane constant"]
    """The same for all lanes, which share one training."""
    direction: Float[Array, "*lane constant"]


def plainly(same: Any) -> Any:
    """Nothing."""
    return same


def by_reverse(loss: Callable[[Params], Array]) -> Callable[[Params], Array]:
    """The same loss, whose forward derivative comes from a backward pass.

    Dense layers have a backward pass of their own, and so no forward derivative.
    """

    def same(params: Params) -> Array:
        still = jax.lax.stop_gradient(params)
        value, slope = jax.value_and_grad(loss)(still)
        moved = jax.tree.map(lambda s, a, b: (s * (a - b)).sum(), slope, params, still)
        return value + sum(jax.tree.leaves(moved))

    return same


def smooth_optimizer(name: str) -> optax.GradientTransformation:
    """The optimizer; under Adam ε² is added under the root, which has no slope at 0, at padding."""
    adam = name == "adam"
    return optax.scale_by_adam(eps_root=ADAM_EPSILON**2) if adam else optimizer(name)


def directional(
    ends_of: Callable[[Array], tuple[Array, ...]], at: Float[Array, " constant"]
) -> Callable[[Array], tuple[Array, ...]]:
    """Direction → (…, loss, its derivative), of ends (…, loss, what takes the derivative's place).

    The training at `at` is shared by all directions under vmap.
    """

    def along(direction: Array) -> tuple[Array, ...]:
        ends, slopes = jax.jvp(ends_of, (at,), (direction,))
        return *ends[:-1], slopes[-2]

    return along


def mapped(
    ends_of: Callable[[Any], tuple[Array, ...]], lanes: Any, slopes: bool
) -> tuple[Callable[[Any], tuple[Array, ...]], Any]:
    """What is mapped over what: the ends of every lane, or of one training along directions."""
    return (directional(ends_of, lanes.at[0]), lanes.direction) if slopes else (ends_of, lanes)
