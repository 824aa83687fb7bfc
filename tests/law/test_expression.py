"""Formulas: every operation against Python's own; the JSON form; the limits."""

import json
import math
import operator
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psi.law.expression import (
    MAX_DEPTH,
    MAX_NODES,
    OPERATIONS,
    Apply,
    Constant,
    Expression,
    Variable,
    check,
    evaluate,
    from_json,
    nodes,
    size,
    substitute,
    to_json,
)
from tests.law.trees import trees_of

NAMES = ("a", "b", "c")


def _or_nan(choose: Callable[..., float]) -> Callable[..., float]:
    """Python's min(nan, 1) depends on the order of its arguments; IEEE 754's does not."""
    return lambda a, b: math.nan if math.isnan(a) or math.isnan(b) else choose(a, b)


PYTHON: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "pow": math.pow,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
    "cos": math.cos,
    "floor": math.floor,
    "min": _or_nan(min),
    "max": _or_nan(max),
}

# Three decimals: far from subnormal numbers, which XLA may flush to zero.
numbers = st.floats(-8, 8).map(lambda x: round(x, 3))


trees = trees_of(numbers, NAMES, max_leaves=12)
points = st.tuples(numbers, numbers, numbers)


def _check_each_operation(tree: Expression, point: tuple[float, ...], xp: ModuleType) -> None:
    """By induction over the tree, so that no cancellation can blur the comparison."""
    with np.errstate(all="ignore"):
        values = xp.asarray(point, dtype=float)
        for node in nodes(tree):
            got = float(evaluate(node, NAMES, values, xp))
            match node:
                case Constant(value):
                    assert got == value
                case Variable(name):
                    assert got == point[NAMES.index(name)]
                case Apply(operation, arguments):
                    inner = [float(evaluate(each, NAMES, values, xp)) for each in arguments]
                    if any(0 < abs(value) < 1e-290 for value in (got, *inner)):
                        continue
                    try:
                        wanted = PYTHON[operation](*inner)
                    except (ValueError, ZeroDivisionError, OverflowError):
                        assert not math.isfinite(got)
                    else:
                        assert got == pytest.approx(wanted, rel=1e-13, abs=1e-290, nan_ok=True)


@settings(deadline=None)
@given(trees, points)
def test_every_operation_is_python_s_in_numpy(tree: Expression, point: tuple[float, ...]) -> None:
    _check_each_operation(tree, point, np)


@settings(max_examples=40, deadline=None)
@given(trees, points)
def test_every_operation_is_python_s_in_jax(tree: Expression, point: tuple[float, ...]) -> None:
    with jax.enable_x64(True):
        _check_each_operation(tree, point, jnp)


def test_the_reference_knows_every_operation() -> None:
    assert PYTHON.keys() == OPERATIONS.keys()


def test_a_division_of_constants_by_zero_is_a_value(xp: ModuleType) -> None:
    tree = from_json(["div", 1.0, 0.0])
    with np.errstate(all="ignore"):
        assert evaluate(tree, (), xp.zeros(0), xp) == math.inf


def test_trailing_axes_are_points(xp: ModuleType) -> None:
    tree = from_json(["max", ["mul", "a", ["exp", "b"]], ["sub", 0.5, "c"]])
    values = np.random.default_rng(0).normal(size=(3, 4, 2))
    many = evaluate(tree, NAMES, xp.asarray(values), xp)
    assert many.shape == (4, 2)
    for place in np.ndindex(4, 2):
        one = evaluate(tree, NAMES, xp.asarray(values[:, *place]), xp)
        assert np.asarray(many)[place] == pytest.approx(float(one), rel=1e-15)


@settings(deadline=None)
@given(trees)
def test_json_holds_the_whole_tree(tree: Expression) -> None:
    assert from_json(json.loads(json.dumps(to_json(tree)))) == tree


def test_json_holds_a_feature_named_like_an_operation() -> None:
    tree = Apply("add", (Variable("add"), Constant(-0.0)))
    assert from_json(to_json(tree)) == tree


def test_nodes_are_listed_root_first() -> None:
    tree = from_json(["add", ["neg", "a"], 2.0])
    assert list(nodes(tree)) == [
        tree,
        Apply("neg", (Variable("a"),)),
        Variable("a"),
        Constant(2.0),
    ]


def test_substitution_puts_trees_in_the_place_of_variables_all_at_once() -> None:
    tree = from_json(["mul", ["add", "a", 2.0], ["exp", "b"]])
    values = {"a": from_json(["neg", "b"]), "b": Variable("a"), "z": Constant(0.0)}
    wanted = from_json(["mul", ["add", ["neg", "b"], 2.0], ["exp", "a"]])
    assert substitute(tree, values) == wanted
    assert substitute(tree, {}) == tree


@settings(deadline=None)
@given(trees, trees, points)
def test_substitution_is_evaluation_of_what_is_put_in(
    tree: Expression, inner: Expression, point: tuple[float, ...]
) -> None:
    with np.errstate(all="ignore"):
        a = evaluate(inner, NAMES, np.array(point), np)
        wanted = evaluate(tree, NAMES, np.array([a, *point[1:]]), np)
        got = evaluate(substitute(tree, {"a": inner}), NAMES, np.array(point), np)
    assert np.array_equal(got, wanted, equal_nan=True)


def test_the_size_is_the_number_of_nodes() -> None:
    assert size(Constant(1.0)) == 1
    assert size(from_json(["add", ["neg", "a"], 2.0])) == 4


def _deep(levels: int) -> list[Any] | str:
    return ["neg", _deep(levels - 1)] if levels else "a"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (["sin", "a"], "unknown operation 'sin'"),
        (["__import__", "os"], "unknown operation"),
        (["add", "a"], r"add takes 2 argument\(s\), got 1"),
        (["neg", "a", "b"], r"neg takes 1 argument\(s\), got 2"),
        (["neg", ["add"]], "add takes 2"),
        (math.nan, "finite"),
        (math.inf, "finite"),
        (["neg", -math.inf], "finite"),
        (10**400, "finite"),
        (True, "a number, a name or"),
        (["neg", False], "a number, a name or"),
        (None, "a number, a name or"),
        ([], "a number, a name or"),
        ([["add"], "a", "b"], "a number, a name or"),
        ({"add": ["a", "b"]}, "a number, a name or"),
        (_deep(MAX_DEPTH + 1), "levels deep"),
    ],
)
def test_what_is_no_formula_is_refused(data: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_json(data)


def test_the_limits_are_inclusive() -> None:
    deepest = from_json(_deep(MAX_DEPTH))
    check(deepest, ("a",))
    assert len(list(nodes(deepest))) == MAX_DEPTH + 1


def _sum(leaves: int) -> Expression:
    """A balanced sum: 2·leaves − 1 nodes."""
    if leaves == 1:
        return Variable("a")
    return Apply("add", (_sum(leaves // 2), _sum(leaves - leaves // 2)))


def test_too_many_nodes_are_refused() -> None:
    most = Apply("neg", (_sum(MAX_NODES // 2),))
    check(most, ("a",))
    with pytest.raises(ValueError, match=f"{MAX_NODES} nodes, this one has {MAX_NODES + 1}"):
        check(Apply("neg", (most,)), ("a",))


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (Variable("z"), "'z', not a feature"),
        (Apply("neg", (Variable("z"),)), "'z', not a feature"),
        (Constant(math.nan), "finite"),
        (Apply("sin", (Variable("a"),)), "unknown operation"),
        (Apply("add", (Variable("a"),)), "add takes 2"),
        (Apply("neg", (from_json(_deep(MAX_DEPTH)),)), "levels deep"),
    ],
)
def test_a_tree_made_by_hand_obeys_the_rules_of_a_file(tree: Expression, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check(tree, ("a",))
