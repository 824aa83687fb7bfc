"""Formulas from text: there and back is the identity both ways; all other text is refused."""

import inspect
import math
import re
import sys

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
    from_json,
    size,
)
from psi.law.parsing import FUNCTIONS, MAX_LENGTH, parse
from psi.law.printing import text
from tests.law.trees import trees_of

NAMES = ("a", "b_1", "Loss")


# Every finite number: negative ones, −0, the least and the largest.
numbers = st.floats(allow_nan=False, allow_infinity=False)
trees = trees_of(numbers, NAMES, max_leaves=16)


@settings(max_examples=300, deadline=None)
@given(trees)
@example(Constant(-0.0))
@example(from_json(["neg", 2.0]))
@example(from_json(["neg", ["neg", ["neg", -2.0]]]))
@example(from_json(["neg", ["pow", 2.0, "a"]]))
@example(from_json(["pow", -2.0, -2.0]))
@example(from_json(["sub", -1.0, ["sub", -2.0, ["neg", 3.0]]]))
@example(from_json(["mul", ["neg", "a"], ["mul", -1.0, ["neg", "a"]]]))
def test_a_tree_is_read_back_from_its_text(tree: Expression) -> None:
    shown = text(tree)
    again = parse(shown, NAMES)
    assert again == tree
    assert text(again) == shown  # 0 == −0, and a text knows which


@settings(deadline=None)
@given(trees, st.integers(1, 17))
def test_a_text_of_few_digits_is_canonical_too(tree: Expression, digits: int) -> None:
    shown = text(tree, digits)
    if "e+308" not in shown:  # the largest number rounds up to infinity
        assert text(parse(shown), digits) == shown


def _sum(leaves: int) -> Expression:
    """A balanced sum: 2·leaves − 1 nodes."""
    if leaves == 1:
        return Constant(-1.2345678901234567e-300)
    return Apply("add", (_sum(leaves // 2), _sum(leaves - leaves // 2)))


def _deep(operation: str, place: int, leaf: Expression) -> Expression:
    """A chain of MAX_DEPTH operations, each an argument of the next; `place`: which of two."""
    tree = leaf
    for _ in range(MAX_DEPTH):
        others = [Variable("a")] * (OPERATIONS[operation].arity - 1)
        tree = Apply(operation, (*others[:place], tree, *others[place:]))
    return tree


@pytest.mark.parametrize("leaf", [Variable("a"), Constant(-2.0), Constant(2.0)])
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_deepest_tree_can_be_read(operation: str, place: int, leaf: Expression) -> None:
    tree = _deep(operation, place, leaf)
    check(tree, ("a",))
    assert parse(text(tree)) == tree
    with pytest.raises(ValueError, match=r"^character \d+: .* deep"):
        parse(text(Apply("exp", (tree,))))


def test_the_largest_tree_can_be_read() -> None:
    most = Apply("neg", (_sum(MAX_NODES // 2),))
    assert size(most) == MAX_NODES
    assert len(text(most)) < MAX_LENGTH
    assert parse(text(most)) == most
    with pytest.raises(ValueError, match=r"^character 1: .*500 nodes"):
        parse(text(Apply("neg", (most,))))


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("1", 1.0),
        ("  a\t+\n b_1 ", ["add", "a", "b_1"]),
        ("a+b_1-a", ["sub", ["add", "a", "b_1"], "a"]),
        ("a/b_1*a", ["mul", ["div", "a", "b_1"], "a"]),
        ("a - -b_1*a^2/3", ["sub", "a", ["div", ["mul", ["neg", "b_1"], ["pow", "a", 2.0]], 3.0]]),
        ("-a^2", ["neg", ["pow", "a", 2.0]]),
        ("-2^2", ["neg", ["pow", 2.0, 2.0]]),
        ("(-2)^2", ["pow", -2.0, 2.0]),
        ("-2*a", ["mul", -2.0, "a"]),
        ("-(2)", ["neg", 2.0]),
        ("- 2", -2.0),
        ("a*-b_1", ["mul", "a", ["neg", "b_1"]]),
        ("(((a)))", "a"),
        ("(a^a)^a", ["pow", ["pow", "a", "a"], "a"]),
        ("a^(-0.5)", ["pow", "a", -0.5]),
        ("min(a, max(1e-05, 2e+3)) - 0012.50", ["sub", ["min", "a", ["max", 1e-5, 2e3]], 12.5]),
        ("exp(-sqrt(log(tanh(Loss))))", ["exp", ["neg", ["sqrt", ["log", ["tanh", "Loss"]]]]]),
        ("1e-400", 0.0),
    ],
)
def test_what_people_type_is_read(source: str, wanted: object) -> None:
    assert parse(source, NAMES) == from_json(wanted)


def test_without_names_any_name_is_a_variable() -> None:
    assert parse("c0*Ab_3^_") == from_json(["mul", "c0", ["pow", "Ab_3", "_"]])


OPERAND = r"expected a number, a name, '-' or '\('"
STRONG = r"expected a number, a name or '\('"
AFTER = "expected an operator or the end of the text"

BAD = {
    # No text at all, or half of one.
    "": rf"1: {OPERAND}, got the end of the text$",
    "   ": rf"4: {OPERAND}, got the end of the text$",
    "a +": rf"4: {OPERAND}, got the end of the text$",
    "a*-": rf"4: {STRONG}, got the end of the text$",
    "(a + b_1": r"9: expected an operator or '\)' within the '\(' of character 1, got the end",
    "a*(a + (b_1)": r"13: expected an operator or '\)' within the '\(' of character 3, got the end",
    "()": rf"2: {OPERAND}, got '\)'$",
    "(a,a)": r"3: expected an operator or '\)' within the '\(' of character 1, got ','$",
    # Too much text.
    "a b_1": rf"3: {AFTER}, got 'b_1'$",
    "a)": rf"2: {AFTER}, got '\)'$",
    "a, a": rf"2: {AFTER}, got ','$",
    "2a": rf"2: {AFTER}, got 'a'$",
    "a(2)": rf"2: {AFTER}, got '\('$",
    # Signs and powers.
    "+a": rf"1: {OPERAND}, got '\+'$",
    "--a": rf"2: {STRONG}, got '-'$",
    "a^-2": rf"3: {STRONG}, got '-'$",
    "a**2": rf"3: {OPERAND}, got '\*'$",
    "a^b_1^2": r"6: a\^b\^c has two meanings: put brackets around one power$",
    # Names and functions.
    "a + lss*a": r"5: unknown name 'lss'; known: a, b_1, Loss$",
    "sin(a)": r"1: unknown function 'sin'; known: exp, log, sqrt, tanh, cos, floor, min, max$",
    "a + loss (2)": r"5: unknown function 'loss'; known: exp",
    "exp": r"4: expected '\(' after exp, got the end of the text$",
    "log*a": r"4: expected '\(' after log, got '\*'$",
    "sqrt a": r"6: expected '\(' after sqrt, got 'a'$",
    "exp()": rf"5: {OPERAND}, got '\)'$",
    "exp(a, a)": r"6: expected an operator or '\)' within the '\(' of character 4, got ','$",
    "min(a)": r"6: expected an operator or ',' within the '\(' of character 4, got '\)'$",
    "max(a, a, a)": r"9: expected an operator or '\)' within the '\(' of character 4, got ','$",
    # Numbers.
    "2*1e999": r"3: a number must be finite, got 1e999$",
    "-1e309": r"2: a number must be finite, got 1e309$",
    "nan": r"1: a number must be finite, got nan$",
    "-inf": r"2: a number must be finite, got inf$",
    ".5": rf"1: {OPERAND}, got '\.'$",
    "1.": rf"2: {AFTER}, got '\.'$",
    "1e": rf"2: {AFTER}, got 'e'$",
    "1_000": rf"2: {AFTER}, got '_000'$",
    "0x1F": rf"2: {AFTER}, got 'x1F'$",
    # Characters that look like others, and such as have no look.
    "ε": rf"1: {OPERAND}, got 'ε'$",
    "a − 1": rf"3: {AFTER}, got '−'$",
    "a·a": rf"2: {AFTER}, got '·'$",
    "a + ２": rf"5: {OPERAND}, got '２'$",
    "а": rf"1: {OPERAND}, got 'а'$",
    "a\u00a0+ 1": rf"2: {AFTER}, got '\\xa0'$",
    "a\x00": rf"2: {AFTER}, got '\\x00'$",
    "a\ud800": rf"2: {AFTER}, got '\\ud800'$",
    # What Python would have run.
    "__import__('os')": r"1: unknown function '__import__'",
    "a.real": rf"2: {AFTER}, got '\.'$",
    "[a]": rf"1: {OPERAND}, got '\['$",
}


@pytest.mark.parametrize("source", BAD)
def test_the_place_and_the_reason_are_given(source: str) -> None:
    with pytest.raises(ValueError, match=rf"^character {BAD[source]}") as caught:
        parse(source, NAMES)
    assert type(caught.value) is ValueError


MANY = 10**5
DEEP = "levels deep, this one is deeper$"
HUGE = {
    "brackets": ("(" * MANY + "a" + ")" * MANY, r"51: brackets may be 50 deep"),
    "open brackets": ("(" * MANY, r"51: brackets may be 50 deep"),
    "closing brackets": (")" * MANY, rf"1: {OPERAND}, got '\)'$"),
    "minus signs": ("-" * MANY + "a", rf"2: {STRONG}, got '-'$"),
    "minus signs and brackets": ("-(" * MANY, rf"102: .*{DEEP}"),
    "calls": ("exp(" * MANY, r"204: brackets may be 50 deep"),
    "a sum": ("+".join("a" * MANY), rf"102: .*{DEEP}"),
    "powers to the right": ("a^(" * MANY, rf"153: .*{DEEP}"),
    "every level of the grammar": ("a + a*-a^(" * MANY, rf"\d+: .*{DEEP}"),
    "spaces": (" " * MANY, rf"{MAX_LENGTH + 1}: .* 20000 characters, not {MANY}$"),
    "a name": ("a" * MANY, rf"{MAX_LENGTH + 1}: .* 20000 characters, not {MANY}$"),
    "a number": ("9" * MANY, rf"{MAX_LENGTH + 1}: .* 20000 characters, not {MANY}$"),
    "a long number": ("9" * 10_000, r"1: a number must be finite, got 9{60}$"),
    "a long unknown name": ("z" * 10_000, r"1: unknown name 'z{59}; known: "),
}


@pytest.mark.parametrize("name", HUGE)
def test_texts_of_any_size_are_refused_as_simply(name: str) -> None:
    source, reason = HUGE[name]
    with pytest.raises(ValueError, match=rf"^character {reason}"):
        parse(source, NAMES)


def test_the_brackets_of_a_formula_are_as_deep_as_the_limit() -> None:
    assert parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH) == Variable("a")


@pytest.mark.parametrize("level", ["(", "-(", "exp(", "a - (", "a^(", "min(a, ", "a + a*-a^("])
def test_the_deepest_text_needs_few_calls(level: str) -> None:
    # A third of Python's own limit, whatever the caller has used up of the rest.
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 350)
    try:
        with pytest.raises(ValueError, match=r"^character \d+: .* deep"):
            parse(level * MANY)
    finally:
        sys.setrecursionlimit(before)


SIGNS = "ab_1 0.e+-*/^(),$ε\x00\n" + "".join(FUNCTIONS)
edits = st.lists(
    st.tuples(
        st.integers(0, 10**6), st.integers(0, 3), st.text(st.sampled_from(SIGNS), max_size=4)
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=400, deadline=None)
@given(trees, edits)
def test_a_damaged_text_is_a_formula_or_a_value_error(
    tree: Expression, edits: list[tuple[int, int, str]]
) -> None:
    source = text(tree)
    for at, dropped, put in edits:
        at %= len(source) + 1
        source = source[:at] + put + source[at + dropped :]
    _is_a_formula_or_refused(source)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_formula_or_a_value_error(source: str) -> None:
    _is_a_formula_or_refused(source)


def _is_a_formula_or_refused(source: str) -> None:
    try:
        tree = parse(source, NAMES)
    except ValueError as error:
        reason = str(error)
    else:
        check(tree, NAMES)
        assert parse(text(tree), NAMES) == tree
        return
    found = re.match(r"character (\d+): ", reason)
    assert found, reason
    assert 1 <= int(found[1]) <= len(source) + 1


@settings(max_examples=200, deadline=None)
@given(numbers)
def test_numbers_lose_nothing(value: float) -> None:
    tree = parse(text(Constant(np.float64(value))))
    assert isinstance(tree, Constant)
    assert type(tree.value) is float
    assert tree.value == value
    assert math.copysign(1, tree.value) == math.copysign(1, value)
