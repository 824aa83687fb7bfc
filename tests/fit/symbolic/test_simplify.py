"""Normal forms keep the value, lose what is redundant, and are equal for equal structures."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from psi.fit.formula.formula import candidate, constant_names
from psi.fit.symbolic.simplify import canonical, simplified
from psi.law.expression import Apply, Constant, Variable, size
from psi.law.printing import text
from tests.fit.symbolic.planted import FEATURES, given

VALUES = np.array([[0.3, 0.7, 1.1, 2.9, 8.0], [0.2, 5.0, 1.7, 0.9, 3.0]])


BINARY = ("add", "sub", "mul", "div", "pow", "min", "max")


UNARY = ("neg", "exp", "log", "sqrt", "tanh")


def structure(formula):
    return canonical(given(formula), FEATURES)[0]


def short(formula, **start):
    return simplified(given(formula, **start), FEATURES)


def trees():
    constants = st.floats(-3, 3).map(lambda v: Constant(round(v, 2)))
    leaves = st.one_of(st.sampled_from([Variable("x"), Variable("y"), Variable("k")]), constants)

    def grow(inner):
        unary = st.builds(lambda o, a: Apply(o, (a,)), st.sampled_from(UNARY), inner)
        binary = st.builds(lambda o, a, b: Apply(o, (a, b)), st.sampled_from(BINARY), inner, inner)
        return st.one_of(unary, binary)

    return st.recursive(leaves, grow, max_leaves=9).map(lambda tree: numbered(tree, count()))


def numbered(tree, numbers):
    """With k0, k1, … for each k: a constant of its own."""
    if isinstance(tree, Apply):
        return Apply(tree.operation, tuple(numbered(each, numbers) for each in tree.arguments))
    return Variable(f"k{next(numbers)}") if tree == Variable("k") else tree


START = {f"k{k}": v for k, v in enumerate([0.7, -1.3, 2.2, 0.31, -0.4, 1.9, 0.9, -2.1, 3.3])}


def values(each):
    with np.errstate(all="ignore"):
        rate = each.formula.value(FEATURES, VALUES, each.first, np)
    return np.broadcast_to(np.asarray(rate, float), (5,))


@settings(deadline=None, max_examples=120)
@over(trees())
def test_the_value_is_kept(tree):
    """Where every part is a number of moderate size: sums of 1e12 and 1 cannot be reordered."""
    whole = candidate(tree, FEATURES, START)
    before = values(whole)
    parts = [values(candidate(node, FEATURES, START)) for node in subtrees(tree)]
    try:
        after = values(simplified(whole, FEATURES))
    except ArithmeticError:
        return
    sane = np.all([np.isfinite(p) & (abs(p) < 1e6) for p in parts], axis=0)
    # A sum that is 0 may be 1e-16 in another order, of which no power or root need be a number.
    steep = {id(n) for whole in subtrees(tree) if of(whole, STEEP) for n in subtrees(whole)}
    sums = [id(n) in steep and of(n, ("add", "sub")) for n in subtrees(tree)]
    zero = [(p == 0) & (not cancelled) for p, cancelled in zip(parts, sums, strict=True)]
    sane &= np.all([(abs(p) > 1e-6) | z for p, z in zip(parts, zero, strict=True)], axis=0)
    np.testing.assert_allclose(after[sane], before[sane], rtol=1e-6, atol=1e-6)


STEEP = ("pow", "div", "log", "sqrt")


def of(tree, operations):
    return isinstance(tree, Apply) and tree.operation in operations


def subtrees(tree):
    yield tree
    if isinstance(tree, Apply):
        for argument in tree.arguments:
            yield from subtrees(argument)


@settings(deadline=None, max_examples=200)
@over(trees())
def test_no_constant_is_added(tree):
    try:
        found = simplified(candidate(tree, FEATURES, START), FEATURES)
    except ArithmeticError:
        return
    assert len(found.start) <= len(constant_names(tree, FEATURES))


@settings(deadline=None, max_examples=150)
@over(trees())
def test_what_is_simple_stays(tree):
    try:
        once = simplified(candidate(tree, FEATURES, START), FEATURES)
        twice = simplified(once, FEATURES)
    except ArithmeticError:
        return
    assert size(twice.formula.tree) <= size(once.formula.tree)
    assert len(twice.start) <= len(once.start)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("a*b*x*c", "c1*x"),
        ("(a*x + b)/(c*x + d)", "c1*(x + c2)/(x + c3)"),
        ("a*(b*x/(c*x + d)/(f*y + g))", "c1*x/((x + c2)*(y + c3))"),
        ("x*x", "x^2"),
        ("x - -y", "x + y"),
        ("x/x", "1"),
        ("x - x", "0"),
        ("a/(1 + b/x)", "c1*x/(x + c2)"),
        ("exp(a + b*log(x))", "c1*x^c2"),
        ("(a*x)^b*x", "c1*x^c2"),
        ("sqrt(a*x)/sqrt(b*y)", "c1*sqrt(x)/sqrt(y)"),
        ("sqrt(sqrt(x))^a", "x^c1"),
        ("(x*y)^a", "(x*y)^c1"),
        ("(x^b*y)^a", "x^c1*y^c2"),
        ("a*(b*x/y)^c", "c1*(x/y)^c2"),
        ("a*(1 - y)^b", "c1*(1 - y)^c2"),
        ("a - b*(1 - y)", "c1*(y + c2)"),
        ("a*exp(b + x)*exp(c*y)", "c1*exp(x + c2*y)"),
        ("log(exp(x))", "x"),
        ("log(a*x)", "log(x) + c1"),
        ("a + b/(x + c)", "c1*(x + c2)/(x + c3)"),
        ("a + b + x", "x + c1"),
        ("a - x", "c1 - x"),
        ("a*tanh(-2*x)", "c1*tanh(2*x)"),
        ("a*x + b*x", "c1*x"),
        ("max(y, x)", "max(x, y)"),
    ],
)  # fmt: skip
def test_rules(formula, expected):
    shown = text(short(formula).formula.tree, 4)
    assert shown == expected
    assert structure(formula) == canonical(short(expected), FEATURES)[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a*x + b", "c*(d + x)"),
        ("a/(x + b)", "1/(c*x + d)"),
        ("x^a*y", "y*x^a"),
        ("a*x/((x + b)*(y + c))", "x/(a + b*x)/(1 + c*y)"),
        ("sqrt(x)", "x^0.5"),
    ],
)
def test_the_same_structure_has_one_key(one, other):
    if other == "x/(a + b*x)/(1 + c*y)":  # the 1 is fixed and stays: as many constants
        other = "x/(a + b*x)/(d + c*y)"
    assert structure(one) == structure(other)


@pytest.mark.parametrize(
    ("one", "other"), [("a*x", "x"), ("x^a", "x^2"), ("x", "y"), ("a*tanh(x)", "a*exp(x)")]
)
def test_other_structures_have_other_keys(one, other):
    assert structure(one) != structure(other)


def test_a_constant_that_stands_twice_is_left_alone():
    """AdaLo's (x + c)/(x + 2c) has one constant; taken apart it would have two."""
    adalo = given("a*(x + c)/(x + 2*c)", a=2.0, c=3.0)
    assert simplified(adalo, FEATURES) is adalo
    assert structure("a*(x + c)/(x + 2*c)") != structure("a*(x + c)/(x + d)")


def test_what_is_no_number_is_an_error():
    for formula in ("1/(x - x)", "exp(a)", "(0 - 2)^a"):
        with pytest.raises(ArithmeticError):
            short(formula, a=1000.5)
