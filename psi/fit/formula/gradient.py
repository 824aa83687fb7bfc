"""A formula's value and its derivatives in its constants, at every point at once.

Reverse accumulation over the tree: one sweep up for the values, one down for the derivatives,
whatever the number of constants; numpy alone, so that hundreds of structures compile nothing.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from psi.law.expression import OPERATIONS, Apply, Constant, Expression, Variable


class Step(NamedTuple):
    """A node, numbered in the order in which values are computed."""

    operation: str
    """Empty for a leaf."""
    arguments: tuple[int, ...]
    """Numbers of the nodes."""
    name: str
    """Of a variable, else empty."""
    value: float
    """Of a constant."""
    free: bool
    """Whether a free constant is in it."""


def steps(tree: Expression, constants: tuple[str, ...]) -> tuple[Step, ...]:
    """The tree's nodes, arguments before their operation, the root last."""
    found: list[Step] = []
    _append(tree, constants, found)
    return tuple(found)


def _append(node: Expression, constants: tuple[str, ...], found: list[Step]) -> int:
    """Put a node behind what it needs; its number."""
    match node:
        case Constant(value):
            found.append(Step("", (), "", value, False))
        case Variable(name):
            found.append(Step("", (), name, 0.0, name in constants))
        case Apply(operation, arguments):
            inner = tuple([_append(argument, constants, found) for argument in arguments])
            free = any(found[k].free for k in inner)
            found.append(Step(operation, inner, "", 0.0, free))
    return len(found) - 1


def value_and_jacobian(
    program: tuple[Step, ...],
    at: Mapping[str, Float[np.ndarray, " point"] | float],
    constants: tuple[str, ...],
    count: int,
) -> tuple[Float[np.ndarray, " point"], Float[np.ndarray, "constant point"]]:
    """Ψ and ∂Ψ/∂c at `count` points; `at` gives each name its value, constants included."""
    values: list[Any] = []
    for step in program:
        if step.operation:
            function = OPERATIONS[step.operation].function
            values.append(function(np, *[values[k] for k in step.arguments]))
        else:
            values.append(at[step.name] if step.name else step.value)
    sums: dict[str, Any] = dict.fromkeys(constants, 0.0)
    # ∂Ψ/∂node: a tree has one way up from each.
    adjoints: list[Any] = [1.0] * len(program)
    for number in range(len(program) - 1, -1, -1):
        step = program[number]
        if step.free and step.name:
            sums[step.name] = sums[step.name] + adjoints[number]
        elif step.free:
            inner = [values[k] for k in step.arguments]
            for k, slope in zip(step.arguments, OPERATIONS[step.operation].slopes, strict=True):
                if program[k].free:
                    adjoints[k] = adjoints[number] * slope(np, values[number], *inner)
    slopes = np.empty((len(constants), count))
    for row, name in zip(slopes, constants, strict=True):
        row[:] = sums[name]
    return np.broadcast_to(np.asarray(values[-1], float), (count,)), slopes
