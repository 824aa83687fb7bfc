"""A formula's value and its derivatives in its constants, at every point at once.

Reverse accumulation over the tree: one sweep up for the values, one down for the derivatives,
whatever the number of constants; numpy alone, so that hundreds of structures compile nothing.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from psi.law.expression import OPERATIONS, Apply, Constant, Expression, Variable

Partial = Callable[..., Any]

PARTIALS: Mapping[str, tuple[Partial, ...]] = MappingProxyType(
    {
        "add": (lambda *_: 1.0, lambda *_: 1.0),
        "sub": (lambda *_: 1.0, lambda *_: -1.0),
        "mul": (lambda _v, _a, b: b, lambda _v, a, _b: a),
        "div": (lambda _v, _a, b: np.divide(1, b), lambda v, _a, b: np.divide(-v, b)),
        "neg": (lambda *_: -1.0,),
        "pow": (
            lambda _v, a, b: b * np.power(a, b - 1),
            lambda v, a, _b: v * np.log(np.where(a > 0, a, 1.0)),
        ),
        "exp": (lambda v, _a: v,),
        "log": (lambda _v, a: np.divide(1, a),),
        "sqrt": (lambda v, _a: np.divide(0.5, v),),
        "tanh": (lambda v, _a: 1 - v * v,),
        "min": (lambda _v, a, b: a <= b, lambda _v, a, b: a > b),
        "max": (lambda _v, a, b: a >= b, lambda _v, a, b: a < b),
        "cos": (lambda _v, a: -np.sin(a),),
        "floor": (lambda *_: 0.0,),
    }
)
"""∂v/∂a_k of v = operation(a_0, a_1), one function an argument: (v, *arguments) → derivative."""


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
            for k, partial in zip(step.arguments, PARTIALS[step.operation], strict=True):
                if program[k].free:
                    adjoints[k] = adjoints[number] * partial(values[number], *inner)
    slopes = np.empty((len(constants), count))
    for row, name in zip(slopes, constants, strict=True):
        row[:] = sums[name]
    return np.broadcast_to(np.asarray(values[-1], float), (count,)), slopes
