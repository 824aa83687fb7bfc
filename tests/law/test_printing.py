"""Formulas in print: the text as Python's grammar groups it, Python itself, LaTeX to the letter."""

import ast
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psi.law.expression import (
    OPERATIONS,
    Apply,
    Constant,
    Expression,
    Variable,
    evaluate,
    from_json,
    nodes,
)
from psi.law.printing import FORMS, LATEX, PYTHON, latex, python, text
from tests.law.trees import trees_of

NAMES = ("a", "b", "c")

numbers = st.floats(-8, 8).map(lambda x: round(x, 3))


trees = trees_of(numbers, NAMES, max_leaves=12)
points = st.tuples(numbers, numbers, numbers)


def test_every_operation_has_a_form() -> None:
    for forms in (FORMS, PYTHON, LATEX):
        assert forms.keys() == OPERATIONS.keys()
        for name, form in forms.items():
            assert len(form.inner) == OPERATIONS[name].arity


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
    "cos": np.cos,
    "floor": np.floor,
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
    assert text(from_json(tree), digits=4) == wanted


def test_a_minus_of_a_number_is_not_the_minus_before_it() -> None:
    assert text(Constant(-2.0)) == "-2.0"
    assert text(from_json(["neg", 2.0])) == "-(2.0)"
    assert text(from_json(["neg", -2.0])) == "-(-2.0)"
    assert text(from_json(["neg", ["pow", 2.0, "a"]])) == "-2.0^a"
    assert text(from_json(["pow", -2.0, "a"])) == "(-2.0)^a"


def test_constants_in_full_lose_nothing() -> None:
    assert text(Constant(1 / 3)) == "0.3333333333333333"
    assert text(Constant(np.float64(0.1))) == "0.1"
    assert text(Constant(1 / 3), digits=4) == "0.3333"


def _run(tree: Expression, names: Mapping[str, Any]) -> Any:
    return eval(python(tree), {"np": np, "__builtins__": {}}, dict(names))


@settings(max_examples=300, deadline=None)
@given(trees, points)
@example(from_json(["pow", -8.0, 0.5]), (0.0, 0.0, 0.0))
@example(from_json(["pow", ["sub", 1.0, 9.0], 0.5]), (0.0, 0.0, 0.0))
@example(from_json(["div", ["exp", 1.0], 0.0]), (0.0, 0.0, 0.0))
@example(from_json(["pow", 8.0, 800.0]), (0.0, 0.0, 0.0))
@example(from_json(["pow", "a", -2.0]), (0.0, 0.0, 0.0))
@example(from_json(["neg", ["pow", 2.0, ["neg", "a"]]]), (0.5, 0.0, 0.0))
def test_python_s_own_value_is_the_tree_s(tree: Expression, point: tuple[float, ...]) -> None:
    variables = {name: np.float64(value) for name, value in zip(NAMES, point, strict=True)}
    with np.errstate(all="ignore"):
        for node in nodes(tree):
            if not isinstance(node, Apply):
                continue
            # By induction: ** and np.power may differ in the last bit, and a difference of
            # two such numbers in more.
            inner = np.array([_run(argument, variables) for argument in node.arguments])
            leaves = tuple(Variable(name) for name in NAMES[: len(inner)])
            wanted = evaluate(Apply(node.operation, leaves), NAMES, inner, np)
            assert _run(node, variables) == pytest.approx(wanted, rel=1e-13, nan_ok=True)


def test_python_takes_arrays() -> None:
    tree = from_json(["max", ["mul", "a", ["exp", "b"]], ["sub", 0.5, "c"]])
    values = np.random.default_rng(0).normal(size=(3, 5))
    got = _run(tree, dict(zip(NAMES, values, strict=True)))
    assert got == pytest.approx(evaluate(tree, NAMES, values, np), rel=1e-15)


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        (["mul", 0.5, ["pow", "a", 2.0]], "0.5*a**2.0"),
        (["min", ["sqrt", "a"], ["neg", 2.0]], "np.minimum(np.sqrt(a), -(2.0))"),
        (["add", "a", ["div", 1.0, 3.0]], "a + np.divide(1.0, 3.0)"),
        (["pow", "a", ["tanh", -1e-5]], "a**np.tanh(-1e-05)"),
    ],
)
def test_python_as_it_is_written(tree: list[Any], wanted: str) -> None:
    assert python(from_json(tree)) == wanted


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        (
            [
                "mul",
                ["mul", 0.30001, ["pow", "loss_ratio", 0.7]],
                ["pow", ["sub", 1.0, "progress"], 1.5],
            ],
            r"0.3\,\left(\varepsilon/\varepsilon_0\right)^{0.7}\,\left(1 - i/T\right)^{1.5}",
        ),
        (["div", "loss", ["add", "epoch", 1.0]], r"\frac{\varepsilon}{i + 1}"),
        (["pow", ["div", "loss", "epoch"], 2.0], r"\left(\frac{\varepsilon}{i}\right)^{2}"),
        (["mul", -1.5e-7, ["exp", ["neg", "progress"]]], r"-1.5 \cdot 10^{-7}\,e^{-i/T}"),
        (["exp", ["pow", "loss", 2.0]], r"\exp\left(\varepsilon^{2}\right)"),
        (
            ["min", ["sqrt", "grad_norm"], 1e-5],
            r"\min\left(\sqrt{\mathrm{grad\_norm}}, 10^{-5}\right)",
        ),
        (
            ["max", ["log", "a"], ["tanh", "b"]],
            r"\max\left(\log\left(\mathrm{a}\right), \tanh\left(\mathrm{b}\right)\right)",
        ),
        (["add", "loss", ["mul", -2.0, "epoch"]], r"\varepsilon - 2\,i"),
        (["sub", "loss", -2.0], r"\varepsilon - \left(-2\right)"),
        (["sub", "loss", ["sub", "epoch", 1.0]], r"\varepsilon - \left(i - 1\right)"),
        (["mul", "loss", ["neg", "epoch"]], r"\varepsilon\,\left(-i\right)"),
        (["mul", "loss", "progress"], r"\varepsilon\,\left(i/T\right)"),
        (["mul", ["neg", "progress"], "loss"], r"\left(-i/T\right)\,\varepsilon"),
        (["mul", 2.0, ["div", 1.0, 3.0]], r"2 \cdot \frac{1}{3}"),
        (["mul", "loss", 1e20], r"\varepsilon \cdot 10^{20}"),
        (["pow", 1e-5, "loss"], r"\left(10^{-5}\right)^{\varepsilon}"),
        (["pow", -2.0, "epoch"], r"\left(-2\right)^{i}"),
        (["neg", ["neg", "loss"]], r"-\left(-\varepsilon\right)"),
    ],
)
def test_latex_to_the_letter(tree: list[Any], wanted: str) -> None:
    assert latex(from_json(tree)) == wanted


def test_latex_takes_other_letters_and_digits() -> None:
    tree = from_json(["mul", 0.123456, ["pow", "a", "loss"]])
    assert latex(tree, digits=2, names={"a": r"\alpha_0"}) == (r"0.12\,\alpha_0^{\mathrm{loss}}")
    assert latex(Constant(math.pi), digits=None) == repr(math.pi)


@settings(deadline=None)
@given(trees)
def test_the_braces_and_brackets_of_latex_are_balanced(tree: Expression) -> None:
    shown = latex(tree)
    depth = 0
    for sign in shown:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0, shown
    assert depth == 0, shown
    assert shown.count(r"\left(") == shown.count(r"\right)") == shown.count("(") == shown.count(")")
    assert "--" not in shown
    assert "+ -" not in shown
