"""Formulas with free constants, and the numbers that a search moves."""

import jax.numpy as jnp
import numpy as np
import pytest

from psi.fit.formula.formula import (
    Candidate,
    Formula,
    Parameter,
    candidate,
    constant_names,
    repeated,
)
from psi.law.parsing import parse
from psi.law.printing import text

POWER = Formula(parse("a*(1 - t)^q"), (Parameter("a", True, "rate"), Parameter("q")))


def test_positive_constants_are_searched_as_logarithms_others_as_they_are():
    searched = np.array([np.log(2.0), -1.0])
    assert POWER.constants(searched) == pytest.approx([2.0, -1.0])
    np.testing.assert_allclose(POWER.searched(np.array([2.0, -1.0])), searched)
    assert str(POWER.bound(searched)) == str(parse("2.0*(1 - t)^(-1.0)"))
    assert np.isnan(POWER.searched(np.array([-2.0, 1.0]))).tolist() == [True, False]


def test_the_value_is_the_same_for_numpy_and_jax():
    searched, t = np.array([np.log(2.0), 0.5]), np.array([0.0, 0.75])
    np.testing.assert_allclose(POWER.value(("t",), [t], searched, np), [2.0, 1.0])
    found = POWER.value(("t",), jnp.asarray([t]), jnp.asarray(searched), jnp)
    np.testing.assert_allclose(found, [2.0, 1.0], rtol=1e-6)


def test_negative_constants_are_written_as_differences():
    formula = candidate(parse("a + b*x/c - d"), ("x",)).formula
    assert text(formula.bound(np.array([1.0, -2.0, 3.0, -4.0])), 3) == "1 - 2*x/3 + 4"


def test_a_candidate_starts_where_it_is_told_or_at_numbers_unlike_each_other():
    """√1.3, √2, √2.7 by position; never 0 or 1, nor equal."""
    found = candidate(parse("b*x + a - c"), ("x",), {"a": 5.0, "unused": 1.0})
    assert found.formula.names == ("b", "a", "c")
    np.testing.assert_array_equal(found.start, [np.nan, 5.0, np.nan])
    np.testing.assert_allclose(found.first, [np.sqrt(1.3), 5.0, np.sqrt(2.7)])
    assert Candidate(found.formula, found.first).first.tolist() == found.first.tolist()


def test_names_stand_in_order_and_once():
    tree = parse("a*(x + c)/(x + 2*c)")
    assert constant_names(tree, ("x",)) == ("a", "c")
    assert repeated(candidate(tree, ("x",)).formula)
    assert not repeated(candidate(parse("x*x + c"), ("x",)).formula)
