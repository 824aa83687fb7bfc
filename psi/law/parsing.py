"""Formulas from text, strictly: what `psi.law.printing.text` writes, and nothing that runs.

    sum:      product, then any number of + product and - product
    product:  signed, then any number of * signed and / signed
    signed:   -power or power
    power:    operand or operand^operand
    operand:  number, name, function(sum) or function(sum, sum), (sum)

The levels and the operations are those of the printer's table. A minus before a bare number
belongs to the number. a^b^c and --a are refused: brackets say what is meant. Every error is a
ValueError that begins with the place, `character 7: …`, counted from 1.
"""

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, NoReturn

from psi.law.expression import (
    MAX_DEPTH,
    MAX_NODES,
    OPERATIONS,
    Apply,
    Constant,
    Expression,
    Variable,
)
from psi.law.printing import CALL, FORMS, SIGN, SUM

MAX_LENGTH = 20_000
"""Characters; 500 nodes with constants in full need no more."""

INFIX: Mapping[str, str] = MappingProxyType(
    {"+": "add", "-": "sub", "*": "mul", "/": "div", "^": "pow"}
)
FUNCTIONS = tuple(name for name, form in FORMS.items() if form.strength == CALL)
NO_NUMBERS = ("nan", "inf")
TOO_DEEP = f"a formula may be {MAX_DEPTH} levels deep, this one is deeper"

TOKEN = re.compile(
    r"[ \t\r\n]*(?:(?P<number>[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>[-+*/^(),])|(?P<end>\Z)|(?P<other>.))",
    re.DOTALL,
)


class Token(NamedTuple):
    """A piece of the text."""

    kind: str
    """number, name, sign or end"""
    text: str
    place: int
    """Of its first character, from 1."""


class Part(NamedTuple):
    """A tree that has been read."""

    tree: Expression
    height: int
    """Levels below its root."""
    strength: int
    """Of its text, as the printer counts."""


def parse(source: str, names: tuple[str, ...] | None = None) -> Expression:
    """The tree of a formula over the variables `names`; None: any name may be a variable.

    Raises ValueError with the place where the text is no formula, or one that is larger than a
    law may have.
    """
    reader = _Reader(source, names)
    tree = reader.infix(SUM, 0).tree
    if reader.token.kind != "end":
        reader.refuse("an operator or the end of the text")
    return tree


class _Reader:
    """The text, how far it has been read, and what counts towards the limits.

    `level` is the number of operations above: it and the brackets bound the recursion.
    """

    def __init__(self, source: str, names: tuple[str, ...] | None) -> None:
        self.source = source
        self.names = names
        self.end = 0
        self.brackets = 0
        self.nodes = 0
        self.token = self.next()

    def next(self) -> Token:
        """The token after the one under way."""
        found = TOKEN.match(self.source, self.end)
        assert found, "the pattern takes any character, and the end"
        self.end = found.end()
        if self.end > MAX_LENGTH:
            count = len(self.source)
            self.fail(MAX_LENGTH + 1, f"a formula may have {MAX_LENGTH} characters, not {count}")
        kind = str(found.lastgroup)
        return Token(kind, found[kind], found.start(kind) + 1)

    def take(self) -> Token:
        """The token under way; the next one takes its place."""
        token, self.token = self.token, self.next()
        return token

    def infix(self, need: int, level: int) -> Part:
        """Operands and the operators between them, as far as they are of strength `need`."""
        if level > MAX_DEPTH:
            self.fail(self.token.place, TOO_DEEP)
        left = self.prefix(need, level)
        while (operation := INFIX.get(self.token.text)) and FORMS[operation].strength >= need:
            first, second = FORMS[operation].inner
            if left.strength < first:
                self.fail(self.token.place, "a^b^c has two meanings: put brackets around one power")
            place = self.take().place
            left = self.apply(place, operation, left, self.infix(second, level + 1))
        return left

    def prefix(self, need: int, level: int) -> Part:
        """An operand, or a minus and a power. A bare number takes the minus into itself."""
        if self.token.text != "-" or need > SIGN:
            return self.operand(need, level)
        place = self.take().place
        number = self.token.kind == "number"
        part = self.infix(FORMS["neg"].inner[0], level if number else level + 1)
        if number and isinstance(part.tree, Constant):
            return Part(Constant(-part.tree.value), 0, SIGN)
        return self.apply(place, "neg", part)

    def operand(self, need: int, level: int) -> Part:
        """A number, a name, a call or brackets."""
        if self.token.text == "(":
            return self.bracket(1, level)[0]._replace(strength=CALL)
        if self.token.kind == "number":
            return self.number(self.take())
        if self.token.kind != "name":
            self.refuse("a number, a name" + (", '-' or '('" if need <= SIGN else " or '('"))
        name = self.take()
        if name.text not in FUNCTIONS:
            return self.variable(name)
        if self.token.text != "(":
            self.refuse(f"'(' after {name.text}")
        parts = self.bracket(OPERATIONS[name.text].arity, level + 1)
        return self.apply(name.place, name.text, *parts)

    def bracket(self, count: int, level: int) -> list[Part]:
        """`count` sums between brackets, with commas between them."""
        opening = self.take().place
        self.brackets += 1
        if self.brackets > MAX_DEPTH:
            self.fail(opening, f"brackets may be {MAX_DEPTH} deep, these are deeper")
        parts = []
        for after in [","] * (count - 1) + [")"]:
            parts.append(self.infix(SUM, level))
            if self.token.text != after:
                self.refuse(f"an operator or {after!r} within the '(' of character {opening}")
            self.take()
        self.brackets -= 1
        return parts

    def number(self, token: Token) -> Part:
        """A constant."""
        value = float(token.text)
        if not math.isfinite(value):
            self.fail(token.place, f"a number must be finite, got {token.text:.60}")
        return self.node(token.place, Constant(value))

    def variable(self, token: Token) -> Part:
        """A name that is no function's."""
        if self.names is not None and token.text in self.names:
            return self.node(token.place, Variable(token.text))
        if self.token.text == "(":
            known = ", ".join(FUNCTIONS)
            self.fail(token.place, f"unknown function {token.text!r:.60}; known: {known}")
        if token.text in NO_NUMBERS:
            self.fail(token.place, f"a number must be finite, got {token.text}")
        if self.names is not None:
            known = ", ".join(self.names)
            self.fail(token.place, f"unknown name {token.text!r:.60}; known: {known}")
        return self.node(token.place, Variable(token.text))

    def apply(self, place: int, operation: str, *parts: Part) -> Part:
        """An operation on what has been read."""
        tree = Apply(operation, tuple(part.tree for part in parts))
        height = 1 + max(part.height for part in parts)
        if height > MAX_DEPTH:
            self.fail(place, TOO_DEEP)
        return self.node(place, tree)._replace(height=height, strength=FORMS[operation].strength)

    def node(self, place: int, tree: Expression) -> Part:
        """Count one more node, a leaf unless told otherwise."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.fail(place, f"a formula may have {MAX_NODES} nodes, this one has more")
        return Part(tree, 0, CALL)

    def refuse(self, expected: str) -> NoReturn:
        """Raise ValueError: the token under way is not what is needed."""
        found = "the end of the text" if self.token.kind == "end" else f"{self.token.text!r:.60}"
        self.fail(self.token.place, f"expected {expected}, got {found}")

    def fail(self, place: int, reason: str) -> NoReturn:
        """Raise ValueError with the place."""
        raise ValueError(f"character {place}: {reason}")
