"""A formula with free constants, which are variables of its tree that are no features.

Numbers written in the tree stay as they are, named constants are fitted. A search moves the
logarithm of a constant that must be positive and any other constant itself; `Formula.constants`
and `Formula.searched` are the one place that translates.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from psi.law.expression import Apply, Constant, Expression, Variable, evaluate, nodes, substitute
from psi.law.namespace import Array, Namespace

Quantity = Literal["rate", "loss", "time", "divisor", "number"]
"""A learning rate, a loss, a time, a factor above 1 that something is divided by, any number."""
Vector = Float[np.ndarray, " constant"]
NO_VALUES: Mapping[str, float] = {}


class Parameter(NamedTuple):
    """A constant of a formula that is to be fitted."""

    name: str
    positive: bool = False
    """Whether it must be positive: then its logarithm is searched."""
    quantity: Quantity = "number"
    """What it measures, from which the range of random starts follows."""


class Formula(NamedTuple):
    """An expression and those of its variables that are constants to be fitted."""

    tree: Expression
    parameters: tuple[Parameter, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the constants."""
        return tuple(parameter.name for parameter in self.parameters)

    def constants(self, searched: Array | Sequence[Array], xp: Namespace = np) -> list[Array]:
        """The constants, from the numbers that a search moves."""
        return [
            xp.exp(value) if parameter.positive else value
            for parameter, value in zip(self.parameters, searched, strict=True)
        ]

    def searched(self, constants: Vector) -> Vector:
        """The numbers that a search moves; NaN where a positive constant is none."""
        positive = np.array([parameter.positive for parameter in self.parameters], bool)
        with np.errstate(all="ignore"):
            return np.where(positive, np.log(constants), constants)

    def value(
        self,
        features: Sequence[str],
        values: Sequence[Array] | Array,
        searched: Array | Sequence[Array],
        xp: Namespace,
    ) -> Array:
        """Ψ where feature `features[k]` is `values[k]`."""
        own = self.constants(searched, xp)
        return evaluate(self.tree, (*features, *self.names), [*values, *own], xp)

    def bound(self, searched: Vector) -> Expression:
        """The tree with numbers for its constants; x + (−2)·y is written x − 2·y."""
        values = zip(self.names, self.constants(searched), strict=True)
        return _signed(substitute(self.tree, {name: Constant(float(v)) for name, v in values}))


class Candidate(NamedTuple):
    """A formula and the constants a search starts from."""

    formula: Formula
    start: Vector
    """As they are searched; NaN where nothing is known."""
    name: str = "symbolic"

    @property
    def first(self) -> Vector:
        """The start, with √1.3, √2, √2.7, … in order where nothing is known.

        So that no difference, ratio or logarithm of them is 0 or 1 by chance.
        """
        unknown = [math.sqrt(1.3 + 0.7 * k) for k in range(len(self.start))]
        return np.where(np.isnan(self.start), unknown, self.start)


def candidate(
    tree: Expression, features: Sequence[str], start: Mapping[str, float] = NO_VALUES
) -> Candidate:
    """A tree whose constants may have either sign, in the order in which they first stand in it."""
    names = constant_names(tree, features)
    formula = Formula(tree, tuple(map(Parameter, names)))
    return Candidate(formula, np.array([start.get(name, np.nan) for name in names], float))


def constant_names(tree: Expression, features: Sequence[str]) -> tuple[str, ...]:
    """Names of the free constants in the order in which they first stand in the tree."""
    names = (node.name for node in nodes(tree) if isinstance(node, Variable))
    return tuple(dict.fromkeys(name for name in names if name not in features))


def repeated(formula: Formula) -> bool:
    """Whether a constant stands in more than one place."""
    names = [node.name for node in nodes(formula.tree) if isinstance(node, Variable)]
    return any(names.count(name) > 1 for name in formula.names)


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
