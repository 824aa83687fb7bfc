"""Writing a formula as text, as Python or as LaTeX.

`psi.law.parsing.parse` reads `text` back: with constants at full precision it gives the same tree.
A minus before a bare number belongs to the number: −2 is a constant, −(2) the negative of one.
`python` and `latex` cannot be read back.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from psi.law.expression import Apply, Constant, Expression, Variable, nodes

SUM, PRODUCT, SIGN, POWER, CALL = range(5)
"""How tightly the text of an operation binds; a name or a number binds like a call."""

OF_ONE = ("exp", "log", "sqrt", "tanh", "cos", "floor")
"""Functions of one argument; numpy has them under the same names."""


class Form(NamedTuple):
    """How an operation is written."""

    pattern: str  # format string of the arguments' texts
    strength: int
    inner: tuple[int, ...]  # for each argument, how tightly it must bind to need no brackets


def _call(name: str, arity: int = 1) -> Form:
    return Form(f"{name}({', '.join(['{}'] * arity)})", CALL, (SUM,) * arity)


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "add": Form("{} + {}", SUM, (SUM, PRODUCT)),
        "sub": Form("{} - {}", SUM, (SUM, PRODUCT)),
        "mul": Form("{}*{}", PRODUCT, (PRODUCT, SIGN)),
        "div": Form("{}/{}", PRODUCT, (PRODUCT, SIGN)),
        "neg": Form("-{}", SIGN, (POWER,)),
        "pow": Form("{}^{}", POWER, (CALL, CALL)),
        **{name: _call(name) for name in OF_ONE},
        "min": _call("min", 2),
        "max": _call("max", 2),
    }
)

PYTHON: Mapping[str, Form] = MappingProxyType(
    {
        **FORMS,
        "pow": FORMS["pow"]._replace(pattern="{}**{}"),
        **{name: _call(f"np.{name}") for name in OF_ONE},
        "min": _call("np.minimum", 2),
        "max": _call("np.maximum", 2),
    }
)
OF_NUMBERS = MappingProxyType({"div": _call("np.divide", 2), "pow": _call("np.power", 2)})
"""For plain numbers, where Python would raise or turn complex: 1/0, (-8)**0.5."""


def text(tree: Expression, digits: int | None = None) -> str:
    """Write a formula as a person types it.

    Args:
        tree: the formula.
        digits: significant digits of constants; None: as many as it takes to read them back.

    Returns:
        Text that `psi.law.parsing.parse` reads.

    Example:
        >>> from psi.law import parse, text
        >>> text(parse("loss / 3.14159265"), digits=3)
        'loss/3.14'
    """
    return _written(tree, lambda node: FORMS[node.operation], digits)[0]


def python(tree: Expression) -> str:
    """Write a formula as a Python expression.

    Args:
        tree: the formula.

    Returns:
        Code over `np` and the variables, which are numpy arrays or numbers.

    Example:
        >>> from psi.law import parse, python
        >>> python(parse("sqrt(loss)^progress"))
        'np.sqrt(loss)**progress'
    """

    def form(node: Apply) -> Form:
        forms = PYTHON if any(isinstance(each, Variable) for each in nodes(node)) else OF_NUMBERS
        return forms.get(node.operation, PYTHON[node.operation])

    return _written(tree, form, None)[0]


def _written(
    tree: Expression, form: Callable[[Apply], Form], digits: int | None
) -> tuple[str, int]:
    match tree:
        case Constant(value):
            shown = _number(value, digits)
            return shown, SIGN if shown.startswith("-") else CALL
        case Variable(name):
            return name, CALL
        case Apply(operation, arguments):
            pattern, strength, inner = form(tree)
            parts = []
            for argument, need in zip(arguments, inner, strict=True):
                part, held = _written(argument, form, digits)
                bare = held >= need and not (operation == "neg" and isinstance(argument, Constant))
                parts.append(part if bare else f"({part})")
            return pattern.format(*parts), strength


def _number(value: float, digits: int | None) -> str:
    return repr(float(value)) if digits is None else f"{value:.{digits}g}"


LETTERS: Mapping[str, str] = MappingProxyType(
    {
        "loss": r"\varepsilon",
        "epoch": "i",
        "loss_ratio": r"\varepsilon/\varepsilon_0",
        "progress": "i/T",
        "feedback": "u",
    }
)
"""Features in the usual letters."""

L_SUM, L_QUOTIENT, L_PRODUCT, L_POWER, L_ATOM = range(5)
"""In LaTeX a sign binds as tightly as a product, the slash of i/T less."""

LATEX: Mapping[str, Form] = MappingProxyType(
    {
        "add": Form("{} + {}", L_SUM, (L_SUM, L_QUOTIENT)),
        "sub": Form("{} - {}", L_SUM, (L_SUM, L_QUOTIENT)),
        "mul": Form(r"{}\,{}", L_PRODUCT, (L_PRODUCT, L_PRODUCT)),
        "div": Form(r"\frac{{{}}}{{{}}}", L_POWER, (L_SUM, L_SUM)),
        "neg": Form("-{}", L_PRODUCT, (L_QUOTIENT,)),
        "pow": Form("{}^{{{}}}", L_POWER, (L_ATOM, L_SUM)),
        "exp": Form("e^{{{}}}", L_POWER, (L_SUM,)),
        "log": Form(r"\log\left({}\right)", L_POWER, (L_SUM,)),
        "sqrt": Form(r"\sqrt{{{}}}", L_ATOM, (L_SUM,)),
        "tanh": Form(r"\tanh\left({}\right)", L_POWER, (L_SUM,)),
        "cos": Form(r"\cos\left({}\right)", L_POWER, (L_SUM,)),
        "floor": Form(r"\left\lfloor {} \right\rfloor", L_ATOM, (L_SUM,)),
        "min": Form(r"\min\left({}, {}\right)", L_POWER, (L_SUM, L_SUM)),
        "max": Form(r"\max\left({}, {}\right)", L_POWER, (L_SUM, L_SUM)),
    }
)
NO_SIGN = frozenset({("neg", 0), ("sub", 1), ("mul", 1)})
"""(operation, argument) whose text must not begin with a minus."""


def latex(tree: Expression, digits: int | None = 4, names: Mapping[str, str] = LETTERS) -> str:
    r"""Write a formula in LaTeX, without the brackets of a (b c) and a + −b.

    Args:
        tree: the formula.
        digits: significant digits of constants; None: all.
        names: LaTeX of each variable; one that is not listed is set upright.

    Returns:
        The formula, for math mode.

    Example:
        >>> from psi.law import latex, parse
        >>> print(latex(parse("0.1*(1 - progress)")))
        0.1\,\left(1 - i/T\right)
    """
    return _latex(tree, digits, names)[0]


def _latex(tree: Expression, digits: int | None, names: Mapping[str, str]) -> tuple[str, int]:
    match tree:
        case Constant(value):
            return _power_of_ten(_number(value, digits))
        case Variable(name):
            upright = r"\mathrm{" + name.replace("_", r"\_") + "}"
            shown = names.get(name, upright)
            return shown, L_QUOTIENT if "/" in shown else L_ATOM
        case Apply(operation, arguments):
            return _arranged(operation, [_latex(each, digits, names) for each in arguments])


def _power_of_ten(shown: str) -> tuple[str, int]:
    digits, e, exponent = shown.partition("e")
    strength = L_ATOM
    if e:
        factor = {"1": "", "1.0": "", "-1": "-", "-1.0": "-"}.get(digits, rf"{digits} \cdot ")
        shown = f"{factor}10^{{{int(exponent)}}}"
        strength = L_PRODUCT if factor else L_POWER
    return shown, L_PRODUCT if shown.startswith("-") else strength


def _arranged(operation: str, parts: list[tuple[str, int]]) -> tuple[str, int]:
    pattern, strength, inner = LATEX[operation]
    shown = []
    for position, ((part, held), need) in enumerate(zip(parts, inner, strict=True)):
        bare = held >= need and not (part.startswith("-") and (operation, position) in NO_SIGN)
        shown.append(part if bare else rf"\left({part}\right)")
    last = shown[-1]
    if operation == "add" and last.startswith("-"):
        pattern, shown[1] = LATEX["sub"].pattern, last[1:]
    elif operation == "mul" and (last[0].isdigit() or last.startswith(r"\frac")):
        pattern = r"{} \cdot {}"
    elif operation == "exp" and ("^" in last or r"\frac" in last):
        pattern = r"\exp\left({}\right)"
    elif operation == "neg":
        strength = min(strength, parts[0][1])
    return pattern.format(*shown), strength
