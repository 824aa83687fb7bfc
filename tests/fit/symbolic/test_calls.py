"""Exponentials, logarithms and other operations of normal forms."""

import math

import pytest

from psi.fit.symbolic.algebra import add, multiply, power
from psi.fit.symbolic.calls import call, value_of
from psi.fit.symbolic.terms import Call, Number, Sum, number, single

X, Y = single("x"), single("y")


@pytest.mark.parametrize(
    ("operation", "arguments", "value"),
    [
        ("exp", (1.5,), math.exp(1.5)), ("log", (2.0,), math.log(2)),
        ("tanh", (0.3,), math.tanh(0.3)),
        ("cos", (0.3,), math.cos(0.3)), ("floor", (2.7,), 2.0), ("min", (1.0, 2.0), 1.0),
        ("max", (1.0, 2.0), 2.0),
    ],
)  # fmt: skip
def test_constants_are_folded(operation, arguments, value):
    fixed = value_of(call(operation, *map(number, arguments)))
    assert fixed is not None
    assert (fixed.value, fixed.free) == (pytest.approx(value), False)
    free = value_of(call(operation, *(number(each, True) for each in arguments)))
    assert free is not None
    assert free.free


def test_an_exponential_undoes_a_logarithm():
    assert call("exp", call("log", X)) == X
    assert call("log", call("exp", X)) == X
    assert call("exp", multiply(number(2.0), call("log", X))) == power(X, Number(2.0))


def test_constants_are_pulled_out():
    """exp(2 + x) = e² exp(x) and log(3 x) = log 3 + log x."""
    (term,) = call("exp", add(number(2.0), X)).terms
    assert term.coefficient.value == pytest.approx(math.exp(2))
    logged = call("log", multiply(number(3.0), X))
    assert logged == add(number(math.log(3)), call("log", X))


def test_tanh_is_odd_and_minimum_symmetric():
    assert call("tanh", multiply(number(-2.0), X)) == multiply(
        number(-1.0), call("tanh", multiply(number(2.0), X))
    )
    assert call("min", X, Y) == call("min", Y, X)
    assert call("pow", X, Y) != call("pow", Y, X)


def test_a_constant_to_a_power_is_an_exponential():
    """2^x = exp(x log 2)."""
    assert call("pow", number(2.0), X) == call("exp", multiply(number(math.log(2)), X))


def test_a_logarithm_of_a_negative_product_stays():
    inner = multiply(number(-1.0), X)
    assert call("log", inner) == single(Call("log", (inner,)))


def test_the_number_that_a_sum_is():
    assert value_of(Sum(())) == Number(0.0)
    assert value_of(number(3.0, True)) == Number(3.0, True)
    assert value_of(X) is None
    assert value_of(add(X, number(1.0))) is None


def test_what_overflows_is_an_error():
    with pytest.raises(ArithmeticError):
        call("exp", number(1000.0))
