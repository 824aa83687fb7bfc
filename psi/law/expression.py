"""Formulas as trees of constants, variables and operations of one table.

A law file can hold nothing else, so that loading one never runs code. One evaluator serves numpy
and JAX, where gradients are finite at the edges of a formula's domain too. In JSON a tree is a
number, a name, or a list [operation, argument, …]; `psi.law.printing` and `psi.law.parsing` write
and read formulas as text.
"""

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from psi.law.namespace import Array, Namespace

MAX_NODES = 500
MAX_DEPTH = 50

Compute: TypeAlias = Callable[..., Any]
"""(xp, *arguments) → an array, or a tuple with one for each argument."""


def _power(xp: Namespace, a: Array, b: Array) -> Array:
    """a^b; where a ≤ 0 there is no derivative by the exponent, so that only the base passes one."""
    if xp is np or _is_number(b):
        return xp.power(a, b)
    positive = a > 0
    both = xp.power(_stop_gradient_unless(positive, a, xp), _stop_gradient_unless(positive, b, xp))
    return xp.where(positive, both, xp.power(a, _stop_gradient(b)))


def _slope_by_divisor(xp: Namespace, value: Array, a: Array, b: Array) -> Array:
    """−a/b²; under JAX by the products that JAX itself takes, which overflow for more b."""
    return xp.divide(-value, b) if xp is np else -a * xp.divide(1.0, b * b)


class Operation(NamedTuple):
    """An allowed operation: what it computes, and its derivative by each argument."""

    function: Compute
    """(xp, *arguments) → value"""
    slopes: tuple[Compute, ...]
    """For each argument: (xp, value, *arguments) → derivative of the value by it."""
    finite: bool = False
    """Whether these are finite everywhere."""

    @property
    def arity(self) -> int:
        """How many arguments it takes."""
        return len(self.slopes)


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "add": Operation(lambda _, a, b: a + b, (lambda *_: 1.0, lambda *_: 1.0), True),
        "sub": Operation(lambda _, a, b: a - b, (lambda *_: 1.0, lambda *_: -1.0), True),
        "mul": Operation(lambda _, a, b: a * b, (lambda _, _v, _a, b: b, lambda _, _v, a, _b: a)),
        "div": Operation(
            lambda xp, a, b: xp.divide(a, b),
            (lambda xp, _v, _a, b: xp.divide(1.0, b), _slope_by_divisor),
        ),
        "neg": Operation(lambda _, a: -a, (lambda *_: -1.0,), True),
        "pow": Operation(
            _power,
            (
                lambda xp, _v, a, b: b * xp.power(a, b - 1),
                lambda xp, v, a, _b: xp.where(a > 0, v * xp.log(a), 0),
            ),
        ),
        "exp": Operation(lambda xp, a: xp.exp(a), (lambda _xp, v, _a: v,)),
        "log": Operation(lambda xp, a: xp.log(a), (lambda xp, _v, a: xp.divide(1.0, a),)),
        "sqrt": Operation(lambda xp, a: xp.sqrt(a), (lambda xp, v, _a: xp.divide(0.5, v),)),
        "tanh": Operation(lambda xp, a: xp.tanh(a), (lambda _xp, v, _a: 1 - v * v,)),
        "cos": Operation(lambda xp, a: xp.cos(a), (lambda xp, _v, a: -xp.sin(a),)),
        "floor": Operation(lambda xp, a: xp.floor(a), (lambda *_: 0.0,), True),
        "min": Operation(
            lambda xp, a, b: xp.minimum(a, b),
            (lambda _xp, _v, a, b: a <= b, lambda _xp, _v, a, b: a > b),
            True,
        ),
        "max": Operation(
            lambda xp, a, b: xp.maximum(a, b),
            (lambda _xp, _v, a, b: a >= b, lambda _xp, _v, a, b: a < b),
            True,
        ),
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
    """The value of `tree` where `names[k]` is `values[k]`; trailing axes broadcast.

    Under JAX its first derivatives, backward and forward, are finite whatever the value, unless a
    product of finite slopes overflows:

    * Where the slope of an operation by an argument that is no plain number is not finite (0^c
      for c < 1, sqrt(0), log(0), a/0, an infinite or undefined argument), the operation passes
      the gradient 0 to all its arguments.
    * The exponent b of a^b gets 0 where a ≤ 0, even where the value is defined (0^2, (−2)^2).
    * At a tie of min or max each argument gets half.
    """
    # `match` would take twice as long, and a scheduler on the host evaluates at every step.
    if isinstance(tree, Apply):
        inner = [evaluate(argument, names, values, xp) for argument in tree.arguments]
        row = OPERATIONS[tree.operation]
        # numpy has no derivatives, and guarding them changes no value.
        if xp is np or row.finite or all(map(_is_number, inner)):
            return row.function(xp, *inner)
        return _guarded(row, inner, xp)
    return tree.value if isinstance(tree, Constant) else values[names.index(tree.name)]


def _guarded(row: Operation, arguments: list[Array], xp: Namespace) -> Array:
    """The operation's value, through which no derivative passes where a slope is not finite.

    Derivatives are multiplied by the slope and 0 · ∞ is not 0, so they are stopped on both sides
    of that product: backward ones at the arguments, forward ones at the value.
    """
    value = row.function(xp, *arguments)
    by_each = zip(arguments, row.slopes, strict=True)
    needed = [slope(xp, value, *arguments) for a, slope in by_each if not _is_number(a)]
    if all(_is_number(slope) and math.isfinite(slope) for slope in needed):  # of 0.5·a
        return value
    fine = reduce(operator.and_, map(xp.isfinite, needed))
    held = (_stop_gradient_unless(fine, argument, xp) for argument in arguments)
    return _stop_gradient_unless(fine, row.function(xp, *held), xp)


def _is_number(a: Array) -> bool:
    """Whether `a` is a plain Python number, by which nothing is differentiated."""
    return isinstance(a, float | int)


def _stop_gradient_unless(keep: Array, a: Array, xp: Namespace) -> Array:
    """`a`, without its derivative where not `keep`; costs nothing where none is taken."""
    return a if _is_number(a) else xp.where(keep, a, _stop_gradient(a))


def _stop_gradient(a: Array) -> Array:
    """`a` as a constant: its bits, read as an integer, have no derivative."""
    return a.view(f"i{a.dtype.itemsize}").view(a.dtype)


def substitute(tree: Expression, values: Mapping[str, Expression]) -> Expression:
    """The tree with `values[name]` instead of each variable `name` that is listed there.

    All at once: variables in `values` are not substituted again. The size is not checked.
    """
    match tree:
        case Variable(name):
            return values.get(name, tree)
        case Apply(operation, arguments):
            return Apply(operation, tuple(substitute(each, values) for each in arguments))
    return tree


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


def size(tree: Expression) -> int:
    """The number of nodes."""
    return sum(1 for _ in nodes(tree))


def check(tree: Expression, names: tuple[str, ...]) -> None:
    """Raise ValueError unless the tree fits a law file and has no variables but `names`."""
    from_json(to_json(tree))
    if (count := size(tree)) > MAX_NODES:
        raise ValueError(f"a formula may have {MAX_NODES} nodes, this one has {count}")
    for node in nodes(tree):
        if isinstance(node, Variable) and node.name not in names:
            raise ValueError(f"the formula uses {node.name!r:.60}, not a feature of {names}")
