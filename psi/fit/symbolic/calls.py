"""Operations of normal forms that are no sum, product or constant power.

Constants are folded, and pulled out of exponentials and logarithms where they would be redundant.
"""

import math
from functools import reduce

import numpy as np

from psi.fit.symbolic.algebra import add, as_product, flat, multiply, power
from psi.fit.symbolic.terms import ONE, ZERO, Call, Number, Product, Sum, number, rank, single
from psi.law.expression import OPERATIONS


def call(operation: str, *arguments: Sum) -> Sum:
    """operation(arguments) for an operation that is no sum, product or constant power."""
    values = [known for each in arguments if (known := value_of(each)) is not None]
    if len(values) == len(arguments):
        with np.errstate(all="ignore"):
            found = OPERATIONS[operation].function(np, *(each.value for each in values))
        return number(float(found), any(each.free for each in values))
    match operation, arguments:
        case "exp", (inner,):
            return _exp(inner)
        case "log", (inner,):
            return _log(inner)
        case "tanh", (inner,) if as_product(inner).coefficient.value < 0:
            turned = multiply(inner, number(-1.0))
            return multiply(number(-1.0), single(Call("tanh", (turned,))))
        case "pow", (base, exponent) if (known := value_of(base)) is not None and known.value > 0:
            rate = Number(math.log(known.value), known.free)
            return _exp(multiply(exponent, Sum((Product(rate),))))
        case (("min" | "max"), _):
            return single(Call(operation, tuple(sorted(arguments, key=rank))))
        case _:
            return single(Call(operation, arguments))


def value_of(part: Sum) -> Number | None:
    """The number that a sum is, if it is one."""
    match part.terms:
        case ():
            return ZERO
        case (Product(coefficient, ()),):
            return coefficient
        case _:
            return None


def _exp(inner: Sum) -> Sum:
    """exp(a + b·log(c) + rest) = e^a · c^b · exp(rest)."""
    parts, rest = [], []
    for term in flat(inner.terms):
        match term.factors:
            case ():
                parts.append(number(math.exp(term.coefficient.value), term.coefficient.free))
            case ((Call("log", (logged,)), exponent),) if exponent == ONE:
                parts.append(power(logged, term.coefficient))
            case _:
                rest.append(term)
    if rest:
        parts.append(single(Call("exp", (add(Sum(tuple(rest))),))))
    return reduce(multiply, parts, number(1.0))


def _log(inner: Sum) -> Sum:
    """log(k·rest) = log k + log(rest), log(exp(a)) = a."""
    product = as_product(inner)
    if product.coefficient.value < 0:
        return single(Call("log", (inner,)))
    constant = number(math.log(product.coefficient.value), product.coefficient.free)
    match product.factors:
        case ((Call("exp", (argument,)), _),):
            return add(constant, argument)
        case ((base, exponent),) if not (exponent.whole and exponent.value % 2 == 0):
            logged = single(Call("log", (single(base),)))
            return add(constant, multiply(Sum((Product(exponent),)), logged))
        case factors:
            return add(constant, single(Call("log", (Sum((Product(ONE, factors),)),))))
