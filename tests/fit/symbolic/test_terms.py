"""Numbers, keys and the order of normal forms."""

import pytest

from psi.fit.symbolic.terms import (
    MINUS,
    ONE,
    ZERO,
    Call,
    Number,
    Product,
    Sum,
    key,
    number,
    ordered,
    rank,
    single,
)

FREE = Number(2.0, True)


def test_what_is_made_of_a_free_number_is_free():
    assert Number(3.0) + FREE == Number(5.0, True)
    assert FREE * Number(3.0) == Number(6.0, True)
    assert Number(-2.0, True) == -FREE
    assert Number(3.0) * Number(2.0) == Number(6.0)
    assert FREE * ZERO == ZERO  # zero is zero whatever it is multiplied by
    assert (Number(2.0).whole, FREE.whole, Number(0.5).whole) == (True, False, False)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_number_is_finite(value):
    with pytest.raises(ArithmeticError, match="a constant became"):
        Number(value)


def test_keys_hide_the_values_of_free_numbers_alone():
    def shifted(offset):
        return key(ordered([Product(ONE, (("x", ONE),)), Product(offset)]))

    assert shifted(Number(2.0, True)) == shifted(Number(7.0, True))
    assert shifted(Number(2.0)) != shifted(Number(7.0))
    assert shifted(Number(2.0)) != shifted(Number(2.0, True))
    assert key(single(Call("tanh", (single("x"),)))) != key(single(Call("exp", (single("x"),))))


def test_terms_are_sorted_and_zeros_left_out():
    x, y = (Product(ONE, ((name, ONE),)) for name in "xy")
    assert ordered([y, x]) == ordered([x, y])
    assert ordered([x, Product(ZERO, (("y", ONE),))]) == Sum((x,))
    assert number(0.0) == Sum(())
    assert x.times(MINUS) == Product(MINUS, (("x", ONE),))


def test_ranks_tell_apart_what_keys_do_not():
    one, two = (Product(Number(value, True), (("x", ONE),)) for value in (1.0, 2.0))
    assert key(one) == key(two)
    assert rank(one) < rank(two)
