"""Sums, products and powers of normal forms, against the numbers that they stand for."""

import math

import pytest

from psi.fit.symbolic.algebra import add, as_product, flat, multiply, power
from psi.fit.symbolic.terms import MINUS, ONE, Call, Number, Product, Sum, number, single

X, Y = single("x"), single("y")
AT = {"x": 0.7, "y": 2.3}
HALF, THREE = Number(0.5), Number(3.0)


def value(part):
    match part:
        case Sum(terms):
            return sum(value(term) for term in terms)
        case Product(coefficient, factors):
            bases = (value(base) ** exponent.value for base, exponent in factors)
            return coefficient.value * math.prod(bases)
        case Call(operation, (inner,)):
            return getattr(math, operation)(value(inner))
        case _:
            return AT[part]


PARTS = (
    number(2.5), X, Y, add(X, Y), multiply(X, Y, Y), add(X, number(3.0, True)),
    multiply(number(-2.0), X), power(add(X, Y), HALF), single(Call("exp", (X,))),
)  # fmt: skip


@pytest.mark.parametrize("one", PARTS)
@pytest.mark.parametrize("other", PARTS)
def test_values_are_kept(one, other):
    assert value(add(one, other)) == pytest.approx(value(one) + value(other))
    assert value(multiply(one, other)) == pytest.approx(value(one) * value(other))
    assert value(as_product(one)) == pytest.approx(value(one))


@pytest.mark.parametrize("exponent", [HALF, THREE, MINUS, ONE, Number(0.0), Number(1.7, True)])
@pytest.mark.parametrize("part", [part for part in PARTS if value(part) > 0])
def test_powers_keep_the_value(part, exponent):
    assert value(power(part, exponent)) == pytest.approx(value(part) ** exponent.value)


def test_order_and_brackets_make_no_difference():
    assert add(X, add(Y, number(1.0))) == add(add(number(1.0), X), Y)
    assert multiply(X, multiply(Y, X)) == multiply(multiply(X, X), Y)


def test_like_terms_and_equal_factors_merge():
    assert add(X, X) == multiply(number(2.0), X)
    assert multiply(X, X) == power(X, Number(2.0))
    assert add(X, multiply(number(-1.0), X)) == Sum(())
    assert multiply(X, power(X, MINUS)) == number(1.0)
    exponentials = multiply(single(Call("exp", (X,))), single(Call("exp", (Y,))))
    assert exponentials == single(Call("exp", (add(X, Y),)))


def test_one_free_coefficient_is_pulled_out_of_a_sum():
    """a·x + b = a (x + c): two constants, one of them outside."""
    (term,) = add(multiply(number(2.0, True), X), number(6.0, True)).terms
    assert term.coefficient == Number(2.0, True)
    ((inner, exponent),) = term.factors
    assert exponent == ONE
    assert isinstance(inner, Sum)
    assert value(inner) == pytest.approx(0.7 + 3.0)


def test_a_sum_is_opened_only_where_no_constant_is_gained():
    """a + b (1 − y) is opened, for a takes the b·1; a x + b (1 − y) is not."""
    free, lone = number(2.0, True), number(5.0, True)
    rest = multiply(free, add(number(1.0), multiply(number(-1.0), Y)))
    assert len(flat([*rest.terms, *lone.terms])) == 3
    assert len(flat([*rest.terms, *multiply(lone, X).terms])) == 2


def test_what_is_no_number_is_an_error():
    with pytest.raises(ZeroDivisionError, match="divides by zero"):
        power(Sum(()), MINUS)
    with pytest.raises(ArithmeticError, match="root of a negative"):
        power(number(-2.0), HALF)
    assert power(Sum(()), THREE) == Sum(())
