"""A formula in its simplest form that these rules find, with no constant too many.

Rules: constants folded and merged, like terms and equal factors merged, one scale a product,
quotients and roots as powers, a − (−b) as a + b.
"""

from collections.abc import Mapping, Sequence
from functools import reduce

from psi.fit.formula.formula import Candidate, candidate, repeated
from psi.fit.symbolic.algebra import add, multiply, power
from psi.fit.symbolic.calls import call, value_of
from psi.fit.symbolic.terms import (
    MINUS,
    ONE,
    Base,
    Call,
    Number,
    Product,
    Sum,
    key,
    number,
    single,
)
from psi.law.expression import Apply, Constant, Expression, Variable


def canonical(whole: Candidate, features: Sequence[str]) -> tuple[str, Candidate]:
    """(structure, the same function of features >= 0 from fewer nodes and constants).

    Structures are equal where formulas differ in the values of constants alone. The constants are
    named c1, c2 and so on. A formula with one constant in several places stays as it is: the rules
    would tear it apart. Raises ArithmeticError where a constant overflows or something is divided
    by zero.
    """
    tree, names = whole.formula.tree, whole.formula.names
    constants = dict(zip(names, map(float, whole.first), strict=True))
    if repeated(whole.formula):
        return key(_normal(tree, (*features, *names), constants)), whole
    normal = _normal(tree, tuple(features), constants)
    values: dict[str, float] = {}
    return key(normal), candidate(_tree(normal, values), features, values)


def simplified(whole: Candidate, features: Sequence[str]) -> Candidate:
    """The same function of features >= 0 from fewer nodes and constants, as by `canonical`."""
    return canonical(whole, features)[1]


def _normal(tree: Expression, features: tuple[str, ...], values: Mapping[str, float]) -> Sum:
    match tree:
        case Constant(value):
            return number(value)
        case Variable(name):
            return single(name) if name in features else number(values[name], True)
        case Apply("add" | "sub" | "neg"):
            # All at once: which factor they share must not depend on the brackets.
            return add(*_addends(tree, ONE, features, values))
        case Apply(operation, arguments):
            inner = [_normal(argument, features, values) for argument in arguments]
            return _apply(operation, tuple(inner))


def _addends(
    tree: Expression, sign: Number, features: tuple[str, ...], values: Mapping[str, float]
) -> list[Sum]:
    match tree:
        case Apply("neg", (a,)):
            return _addends(a, -sign, features, values)
        case Apply("add" | "sub" as operation, (a, b)):
            second = -sign if operation == "sub" else sign
            return [*_addends(a, sign, features, values), *_addends(b, second, features, values)]
        case _:
            return [multiply(number(sign.value), _normal(tree, features, values))]


def _apply(operation: str, arguments: tuple[Sum, ...]) -> Sum:
    match operation, arguments:
        case "mul", _:
            return multiply(*arguments)
        case "div", (a, b):
            return multiply(a, power(b, MINUS))
        case "sqrt", (a,):
            return power(a, Number(0.5))
        case "pow", (a, b) if (exponent := value_of(b)) is not None:
            return power(a, exponent)
        case _:
            return call(operation, *arguments)


def _tree(part: Sum, constants: dict[str, float]) -> Expression:
    """The normal form as a tree; its free numbers join `constants` by name."""
    if not part.terms:
        return Constant(0.0)
    # A free number last, x + c, unless a minus would be first: c − x.
    free = [t for t in part.terms if not t.factors and t.coefficient.free]
    others = [t for t in part.terms if t not in free]
    terms = free + others if others and _minus(others[0]) else others + free
    tree = _product(terms[0], constants)
    for term in terms[1:]:
        minus = _minus(term)
        shown = _product(term.times(MINUS) if minus else term, constants)
        tree = Apply("sub" if minus else "add", (tree, shown))
    return tree


def _minus(term: Product) -> bool:
    return not term.coefficient.free and term.coefficient.value < 0


def _product(product: Product, constants: dict[str, float]) -> Expression:
    k, factors = product.coefficient, product.factors
    below = [(base, -n.value) for base, n in factors if not n.free and n.value < 0]
    above = [(base, n) for base, n in factors if n.free or n.value > 0]
    parts: list[Expression] = []
    if k == MINUS and above:
        parts.append(Apply("neg", (_raised(*above.pop(0), constants),)))
    elif k != ONE or not above:
        parts.append(_number(k, constants))
    parts += [_raised(base, n, constants) for base, n in above]
    top = reduce(lambda a, b: Apply("mul", (a, b)), parts)
    if not below:
        return top
    bottom = [_raised(base, Number(n), constants) for base, n in below]
    return Apply("div", (top, reduce(lambda a, b: Apply("mul", (a, b)), bottom)))


def _raised(base: Base, exponent: Number, constants: dict[str, float]) -> Expression:
    match base:
        case str():
            shown = Variable(base)
        case Sum():
            shown = _tree(base, constants)
        case Call(operation, arguments):
            shown = Apply(operation, tuple(_tree(argument, constants) for argument in arguments))
    if exponent == ONE:
        return shown
    if exponent == Number(0.5):
        return Apply("sqrt", (shown,))
    return Apply("pow", (shown, _number(exponent, constants)))


def _number(number: Number, constants: dict[str, float]) -> Expression:
    if not number.free:
        return Constant(number.value)
    name = f"c{len(constants) + 1}"
    constants[name] = number.value
    return Variable(name)
