"""Sums of products of powers: the normal form in which formulas are compared.

    Sum      t_1 + t_2 + …            like terms merged, sorted
    Product  k · b_1^n_1 · b_2^n_2 …  one coefficient, equal bases merged, sorted
    base     a feature, a call such as tanh(Sum), or a Sum of at least two terms

A Sum that stands inside a Product is *monic*: one of its coefficients is pulled out into the
Product's, so that a/(b + c·x) has two constants and not three. Numbers know whether they are free
(to be fitted) or part of the form; what is made of a free number is free. `algebra` and `calls`
build these.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float
    free: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ArithmeticError(f"a constant became {self.value}")

    def __add__(self, other: "Number") -> "Number":
        return Number(self.value + other.value, self.free or other.free)

    def __mul__(self, other: "Number") -> "Number":
        if 0.0 in (self.value, other.value):
            return ZERO
        return Number(self.value * other.value, self.free or other.free)

    def __neg__(self) -> "Number":
        return Number(-self.value, self.free)

    @property
    def whole(self) -> bool:
        """Whether it is an integer for good."""
        return not self.free and self.value.is_integer()


@dataclass(frozen=True)
class Product:
    """The product coefficient · Π base^exponent."""

    coefficient: Number
    factors: "Factors" = ()

    def times(self, number: Number) -> "Product":
        """The product with its coefficient multiplied."""
        return Product(self.coefficient * number, self.factors)


@dataclass(frozen=True)
class Sum:
    """The sum Σ terms."""

    terms: tuple[Product, ...]


@dataclass(frozen=True)
class Call:
    """An operation that is no sum, product or constant power."""

    operation: str
    arguments: tuple[Sum, ...]


Base: TypeAlias = str | Sum | Call
Factors: TypeAlias = tuple[tuple[Base, Number], ...]

KEPT = 100_000  # keys of recent parts, of which most come again
ZERO, ONE, MINUS = Number(0.0), Number(1.0), Number(-1.0)


def number(value: float, free: bool = False) -> Sum:
    """A constant as a sum."""
    return ordered([Product(Number(value, free))])


@lru_cache(KEPT)
def key(part: Number | Product | Base) -> str:
    """The structure: equal for parts that differ in the values of free numbers alone."""
    match part:
        case Number(value, free):
            return "#" if free else f"{value:.12g}"
        case Product(coefficient, factors):
            powers = (f"{key(base)}^{key(exponent)}" for base, exponent in factors)
            return f"{' '.join(powers)} {key(coefficient)}"
        case Sum(terms):
            return f"({' + '.join(key(term) for term in terms)})"
        case Call(operation, arguments):
            return f"{operation}({', '.join(key(argument) for argument in arguments)})"
        case str():
            return part


@lru_cache(KEPT)
def rank(part: Number | Product | Base) -> tuple[str, tuple[float, ...]]:
    """What parts are sorted by: structure, then the values of the numbers in it."""
    return key(part), tuple(_values(part))


def _values(part: Number | Product | Base) -> Iterator[float]:
    match part:
        case Number(value, _):
            yield value
        case Product(coefficient, factors):
            yield coefficient.value
            for base, exponent in factors:
                yield from rank(base)[1]
                yield exponent.value
        case Sum(inner) | Call(_, inner):
            for each in inner:
                yield from rank(each)[1]


def single(base: Base) -> Sum:
    """A base, a feature for one, as a sum."""
    return Sum((Product(ONE, ((base, ONE),)),))


def ordered(terms: Iterable[Product]) -> Sum:
    """A sum of terms that are unlike each other; those that are zero are left out."""
    found = [term for term in terms if term.coefficient.value != 0]
    return Sum(tuple(sorted(found, key=rank)))
