"""Reading a formula from text, without ever running it; `psi.law.printing.text` writes such text.

The grammar:

    sum:      product, then any number of + product and - product
    product:  signed, then any number of * signed and / signed
    signed:   -power or power
    power:    operand or operand^operand
    operand:  number, name, function(sum) or function(sum, sum), (sum)

The levels and the operations are those of the printer's table. A minus before a bare number
belongs to the number. a^b^c and --a are refused: brackets say what is meant. Every error is a
ValueError that begins with the position, `character 7: …`, counted from 1.
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

MAX_LENGTH = 20_000  # characters; 500 nodes with constants at full precision need no more

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
    """A number, name or sign in the text, or its end."""

    kind: str  # number, name, sign or end
    text: str
    position: int  # of its first character, counted from 1


class Part(NamedTuple):
    """A subtree that has been read."""

    tree: Expression
    height: int  # levels below its root
    strength: int  # how tightly its text binds, as in `psi.law.printing`


def parse(source: str, names: tuple[str, ...] | None = None) -> Expression:
    """Read a formula, e.g. "0.3*loss_ratio^0.5*(1 - progress)".

    Args:
        source: numbers, names, + - * / ^, brackets, and exp log sqrt tanh cos floor min max.
        names: the variables that may occur; None: any name may be one.

    Returns:
        The expression tree, which `psi.law.printing.text` writes as the same text.

    Raises:
        ValueError: the text is no formula, or one larger than a law may have (500 nodes, 50
            levels); the message gives the position.

    Example:
        >>> from psi.law import parse, text
        >>> text(parse("0.1 * exp(-progress)"))
        '0.1*exp(-progress)'
        >>> parse("0.1*speed", names=("loss", "progress"))
        Traceback (most recent call last):
        ValueError: character 5: unknown name 'speed'; known: loss, progress
    """
    reader = _Reader(source, names)
    tree = reader.infix(SUM, 0).tree
    if reader.token.kind != "end":
        reader.refuse("an operator or the end of the text")
    return tree


class _Reader:
    """A recursive-descent parser: the text, how far it has been read, nodes and brackets so far.

    `level` is the number of operations above; with the brackets it bounds the recursion.
    """

    def __init__(self, source: str, names: tuple[str, ...] | None) -> None:
        self.source, self.names = source, names
        self.end = self.brackets = self.nodes = 0
        self.token = self.next()

    def next(self) -> Token:
        """The token after the current one."""
        found = TOKEN.match(self.source, self.end)
        assert found, "the pattern takes any character, and the end"
        self.end = found.end()
        if self.end > MAX_LENGTH:
            count = len(self.source)
            self.fail(MAX_LENGTH + 1, f"a formula may have {MAX_LENGTH} characters, not {count}")
        kind = str(found.lastgroup)
        return Token(kind, found[kind], found.start(kind) + 1)

    def take(self) -> Token:
        """Return the current token and go on to the next."""
        token, self.token = self.token, self.next()
        return token

    def infix(self, need: int, level: int) -> Part:
        """Operands and the operators between them that bind at least as tightly as `need`."""
        if level > MAX_DEPTH:
            self.fail(self.token.position, TOO_DEEP)
        left = self.prefix(need, level)
        while (operation := INFIX.get(self.token.text)) and FORMS[operation].strength >= need:
            first, second = FORMS[operation].inner
            if left.strength < first:
                self.fail(
                    self.token.position, "a^b^c has two meanings: put brackets around one power"
                )
            position = self.take().position
            left = self.apply(position, operation, left, self.infix(second, level + 1))
        return left

    def prefix(self, need: int, level: int) -> Part:
        """An operand, or a minus before a power. A minus before a bare number makes it negative."""
        if self.token.text != "-" or need > SIGN:
            return self.operand(need, level)
        position = self.take().position
        number = self.token.kind == "number"
        part = self.infix(FORMS["neg"].inner[0], level if number else level + 1)
        if number and isinstance(part.tree, Constant):
            return Part(Constant(-part.tree.value), 0, SIGN)
        return self.apply(position, "neg", part)

    def operand(self, need: int, level: int) -> Part:
        """A number, a name, a function call or a bracketed sum."""
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
        return self.apply(name.position, name.text, *parts)

    def bracket(self, count: int, level: int) -> list[Part]:
        """`count` sums in brackets, separated by commas."""
        opening = self.take().position
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
            self.fail(token.position, f"a number must be finite, got {token.text:.60}")
        return self.node(token.position, Constant(value))

    def variable(self, token: Token) -> Part:
        """A variable, where the name is no function's."""
        if self.names is not None and token.text in self.names:
            return self.node(token.position, Variable(token.text))
        if self.token.text == "(":
            known = ", ".join(FUNCTIONS)
            self.fail(token.position, f"unknown function {token.text!r:.60}; known: {known}")
        if token.text in NO_NUMBERS:
            self.fail(token.position, f"a number must be finite, got {token.text}")
        if self.names is not None:
            known = ", ".join(self.names)
            self.fail(token.position, f"unknown name {token.text!r:.60}; known: {known}")
        return self.node(token.position, Variable(token.text))

    def apply(self, position: int, operation: str, *parts: Part) -> Part:
        """Apply an operation to subtrees that have been read."""
        tree = Apply(operation, tuple(part.tree for part in parts))
        height = 1 + max(part.height for part in parts)
        if height > MAX_DEPTH:
            self.fail(position, TOO_DEEP)
        return self.node(position, tree)._replace(height=height, strength=FORMS[operation].strength)

    def node(self, position: int, tree: Expression) -> Part:
        """A leaf; counts one more node."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.fail(position, f"a formula may have {MAX_NODES} nodes, this one has more")
        return Part(tree, 0, CALL)

    def refuse(self, expected: str) -> NoReturn:
        """Raise ValueError: the current token is not what is expected."""
        found = "the end of the text" if self.token.kind == "end" else f"{self.token.text!r:.60}"
        self.fail(self.token.position, f"expected {expected}, got {found}")

    def fail(self, position: int, reason: str) -> NoReturn:
        """Raise ValueError with the position in front."""
        raise ValueError(f"character {position}: {reason}")
