"""Formulas: every operation against Python's own, the text read back by Python's grammar."""

import ast
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
from hypothesis import example, given, settings
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
    text,
    to_json,
)

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
    "min": _or_nan(min),
    "max": _or_nan(max),
}

# Three decimals: far from subnormal numbers, which XLA may flush to zero.
numbers = st.floats(-8, 8).map(lambda x: round(x, 3))


def _extend(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def of(name: str) -> st.SearchStrategy[Expression]:
        arguments = st.tuples(*[inner] * OPERATIONS[name].arity)
        return arguments.map(lambda found: Apply(name, found))

    return st.sampled_from(sorted(OPERATIONS)).flatmap(of)


trees = st.recursive(
    numbers.map(Constant) | st.sampled_from(NAMES).map(Variable), _extend, max_leaves=12
)
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


BINARY = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
CALLS = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "min": np.minimum,
    "max": np.maximum,
}


def _read(node: Any, names: Mapping[str, float]) -> Any:
    """The value of a printed formula as Python's grammar groups it."""
    match node:
        case ast.Expression(body):
            return _read(body, names)
        case ast.BinOp(left, sign, right):
            return BINARY[type(sign)](_read(left, names), _read(right, names))
        case ast.UnaryOp(ast.USub(), inner):
            return np.negative(_read(inner, names))
        case ast.Call(ast.Name(name), arguments):
            return CALLS[name](*(_read(each, names) for each in arguments))
        case ast.Name(name):
            return np.float64(names[name])
        case ast.Constant(float() | int() as value):
            return np.float64(value)
    raise AssertionError(ast.dump(node))


@settings(max_examples=300, deadline=None)
@given(trees, points)
@example(Apply("pow", (Constant(-0.0), Constant(0.0))), (0.0, 0.0, 0.0))
@example(Apply("pow", (Apply("pow", (Variable("a"), Variable("b"))), Variable("c"))), (2, 3, 2))
@example(Apply("pow", (Variable("a"), Apply("pow", (Variable("b"), Variable("c"))))), (2, 3, 2))
@example(Apply("neg", (Apply("add", (Variable("a"), Variable("b"))),)), (1, 2, 3))
@example(Apply("div", (Variable("a"), Apply("mul", (Variable("b"), Variable("c"))))), (1, 2, 3))
@example(Apply("sub", (Variable("a"), Apply("sub", (Variable("b"), Variable("c"))))), (1, 2, 3))
def test_the_text_means_what_the_tree_means(tree: Expression, point: tuple[float, ...]) -> None:
    shown = text(tree, digits=17)
    with np.errstate(all="ignore"):
        wanted = evaluate(tree, NAMES, np.array(point, dtype=float), np)
        got = _read(
            ast.parse(shown.replace("^", "**"), mode="eval"),
            dict(zip(NAMES, point, strict=True)),
        )
    # The same operations in the same order: equal to the last bit.
    assert np.array_equal(got, wanted, equal_nan=True), shown


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        (["mul", ["mul", 0.123456, ["pow", "a", -0.5]], "b"], "0.1235*a^(-0.5)*b"),
        (["mul", ["add", "a", 1.0], ["sub", 1.0, "b"]], "(a + 1)*(1 - b)"),
        (["sub", "a", ["sub", "b", "c"]], "a - (b - c)"),
        (["sub", ["sub", "a", "b"], "c"], "a - b - c"),
        (["div", "a", ["div", "b", "c"]], "a/(b/c)"),
        (["pow", "a", ["pow", "b", "c"]], "a^(b^c)"),
        (["pow", ["neg", "a"], 2.0], "(-a)^2"),
        (["neg", ["pow", "a", 2.0]], "-a^2"),
        (["neg", ["mul", "a", "b"]], "-(a*b)"),
        (["exp", ["min", ["neg", "a"], 1e-5]], "exp(min(-a, 1e-05))"),
    ],
)
def test_the_text_has_only_the_brackets_it_needs(tree: list[Any], wanted: str) -> None:
    assert text(from_json(tree)) == wanted


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
