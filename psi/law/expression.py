"""Formulas as trees of allowed operations.

A tree is made of constants, variables and operations of the table `OPERATIONS`; nothing else can
be written in a law file, so loading one never runs code. One evaluator serves numpy and JAX.
The JSON form of a tree is a number, a name, or a list [operation, argument, …].
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from psi.law.namespace import Array, Namespace

MAX_NODES = 500
MAX_DEPTH = 50


class Operation(NamedTuple):
    """One allowed operation: how many arguments, what it computes, how it is printed."""

    arity: int
    function: Callable[..., Array]
    """(xp, *arguments) → value"""
    text: str
    """Format string of the arguments' texts."""
    precedence: int
    """0 for sums, 1 for products, 2 for signs, 3 for powers, 4 for calls."""
    inner: tuple[int, ...]
    """Least precedence that each argument needs to stand without brackets."""


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "add": Operation(2, lambda _, a, b: a + b, "{} + {}", 0, (0, 1)),
        "sub": Operation(2, lambda _, a, b: a - b, "{} - {}", 0, (0, 1)),
        "mul": Operation(2, lambda _, a, b: a * b, "{}*{}", 1, (1, 2)),
        "div": Operation(2, lambda xp, a, b: xp.divide(a, b), "{}/{}", 1, (1, 2)),
        "neg": Operation(1, lambda _, a: -a, "-{}", 2, (3,)),
        "pow": Operation(2, lambda xp, a, b: xp.power(a, b), "{}^{}", 3, (4, 4)),
        "exp": Operation(1, lambda xp, a: xp.exp(a), "exp({})", 4, (0,)),
        "log": Operation(1, lambda xp, a: xp.log(a), "log({})", 4, (0,)),
        "sqrt": Operation(1, lambda xp, a: xp.sqrt(a), "sqrt({})", 4, (0,)),
        "tanh": Operation(1, lambda xp, a: xp.tanh(a), "tanh({})", 4, (0,)),
        "min": Operation(2, lambda xp, a, b: xp.minimum(a, b), "min({}, {})", 4, (0, 0)),
        "max": Operation(2, lambda xp, a, b: xp.maximum(a, b), "max({}, {})", 4, (0, 0)),
    }
)


@dataclass(frozen=True)
class Constant:
    """A finite number."""

    value: float


@dataclass(frozen=True)
class Variable:
    """A feature, by name."""

    name: str


@dataclass(frozen=True)
class Apply:
    """An operation of the table on its arguments."""

    operation: str
    arguments: tuple["Expression", ...]


Expression: TypeAlias = Constant | Variable | Apply


def evaluate(tree: Expression, names: tuple[str, ...], values: Array, xp: Namespace) -> Array:
    """The value of `tree` where `names[k]` is `values[k]`; trailing axes broadcast."""
    match tree:
        case Constant(value):
            return value
        case Variable(name):
            return values[names.index(name)]
        case Apply(operation, arguments):
            inner = (evaluate(argument, names, values, xp) for argument in arguments)
            return OPERATIONS[operation].function(xp, *inner)


def text(tree: Expression, digits: int = 4) -> str:
    """The formula as a person writes it, constants to `digits` significant digits."""
    return _text(tree, digits)[0]


def _text(tree: Expression, digits: int) -> tuple[str, int]:
    match tree:
        case Constant(value):
            shown = f"{value:.{digits}g}"
            return shown, 2 if shown.startswith("-") else 4
        case Variable(name):
            return name, 4
        case Apply(operation, arguments):
            row = OPERATIONS[operation]
            parts = [_text(argument, digits) for argument in arguments]
            fitting = [
                part if strength >= need else f"({part})"
                for (part, strength), need in zip(parts, row.inner, strict=True)
            ]
            return row.text.format(*fitting), row.precedence


def to_json(tree: Expression) -> Any:
    """The tree as numbers, strings and lists."""
    match tree:
        case Constant(value):
            return value
        case Variable(name):
            return name
        case Apply(operation, arguments):
            return [operation, *map(to_json, arguments)]


def from_json(data: Any, depth: int = 0) -> Expression:
    """The tree that `to_json` wrote. Raises ValueError for anything else."""
    if depth > MAX_DEPTH:
        raise ValueError(f"a formula may be {MAX_DEPTH} levels deep, this one is deeper")
    if isinstance(data, str):
        return Variable(data)
    if isinstance(data, int | float) and not isinstance(data, bool):
        return Constant(_finite(data))
    if isinstance(data, list) and data and isinstance(data[0], str):
        return _apply(data[0], data[1:], depth)
    raise ValueError(f"a formula is a number, a name or [operation, …]; got {data!r:.60}")


def _apply(operation: str, arguments: Sequence[Any], depth: int) -> Apply:
    if operation not in OPERATIONS:
        raise ValueError(f"unknown operation {operation!r:.60}; known: {', '.join(OPERATIONS)}")
    arity = OPERATIONS[operation].arity
    if len(arguments) != arity:
        raise ValueError(f"{operation} takes {arity} argument(s), got {len(arguments)}")
    return Apply(operation, tuple(from_json(argument, depth + 1) for argument in arguments))


def _finite(number: float) -> float:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"a constant must be finite, got {number!r:.60}")
    return value


def nodes(tree: Expression) -> Iterator[Expression]:
    """Every node of the tree, the root first."""
    yield tree
    if isinstance(tree, Apply):
        for argument in tree.arguments:
            yield from nodes(argument)


def check(tree: Expression, names: tuple[str, ...]) -> None:
    """Raise ValueError unless the tree could be in a law file and sees no variable but `names`."""
    from_json(to_json(tree))
    listed = list(nodes(tree))
    if len(listed) > MAX_NODES:
        raise ValueError(f"a formula may have {MAX_NODES} nodes, this one has {len(listed)}")
    for node in listed:
        if isinstance(node, Variable) and node.name not in names:
            raise ValueError(f"the formula uses {node.name!r:.60}, not a feature of {names}")
