"""A formula with free constants: variables of its tree that are no features.

The convention of the table of families: numbers written in the tree stay as they are, names are
fitted.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from psi.law.expression import Apply, Constant, Expression, Variable, nodes, substitute


class Form(NamedTuple):
    """A structure, and where a search for its constants starts."""

    tree: Expression
    start: Mapping[str, float]
    """By name; where a constant is not listed see `starts`."""


def constants(tree: Expression, features: Sequence[str]) -> tuple[str, ...]:
    """Names of the free constants in the order in which they first stand in the tree."""
    names = (node.name for node in nodes(tree) if isinstance(node, Variable))
    return tuple(dict.fromkeys(name for name in names if name not in features))


def starts(form: Form, features: Sequence[str]) -> dict[str, float]:
    """Where each constant starts: as listed, else at √1.3, √2, √2.7, … in order.

    So that no difference, ratio or logarithm of them is 0 or 1 by chance.
    """
    names = constants(form.tree, features)
    return {name: form.start.get(name, math.sqrt(1.3 + 0.7 * k)) for k, name in enumerate(names)}


def repeated(tree: Expression, features: Sequence[str]) -> bool:
    """Whether a constant stands in more than one place."""
    names = [node.name for node in nodes(tree) if isinstance(node, Variable)]
    return any(names.count(name) > 1 for name in set(names) - set(features))


def bound(tree: Expression, values: Mapping[str, float]) -> Expression:
    """The tree with numbers for its constants; x + (−2)·y is written x − 2·y."""
    return _signed(substitute(tree, {name: Constant(float(v)) for name, v in values.items()}))


def _signed(tree: Expression) -> Expression:
    if not isinstance(tree, Apply):
        return tree
    arguments = tuple(_signed(argument) for argument in tree.arguments)
    if tree.operation in ("add", "sub") and (turned := _turned(arguments[1])) is not None:
        return Apply("sub" if tree.operation == "add" else "add", (arguments[0], turned))
    return Apply(tree.operation, arguments)


def _turned(tree: Expression) -> Expression | None:
    """−tree where its leading number is negative, by the sign of that number alone."""
    match tree:
        case Constant(value) if value < 0:
            return Constant(-value)
        case Apply("mul" | "div" as operation, (first, second)):
            turned = _turned(first)
            return None if turned is None else Apply(operation, (turned, second))
        case _:
            return None
