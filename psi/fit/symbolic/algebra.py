"""Sums, products and constant powers of normal forms.

Values are kept wherever all parts are finite and no feature is negative, which features are not:
losses, ratios of losses, epochs. ArithmeticError where a number is not finite.
"""

from collections.abc import Iterable

from psi.fit.symbolic.terms import (
    MINUS,
    ONE,
    ZERO,
    Base,
    Call,
    Factors,
    Number,
    Product,
    Sum,
    key,
    number,
    ordered,
    rank,
    single,
)


def add(*parts: Sum) -> Sum:
    """Σ parts, like terms merged and a common factor pulled out."""
    merged: dict[Factors, Number] = {}
    for term in flat(term for part in parts for term in part.terms):
        merged[term.factors] = merged.get(term.factors, ZERO) + term.coefficient
    terms = ordered(Product(coefficient, factors) for factors, coefficient in merged.items()).terms
    if len(terms) < 2:
        return Sum(terms)
    common = _common(terms)
    if common is None:
        if all(term.coefficient.free for term in terms):
            return Sum((as_product(Sum(terms)),))
        return Sum(terms)
    base, exponent = common
    out = power(single(base), -exponent)
    inner = add(*(multiply(Sum((term,)), out) for term in terms))
    return multiply(power(single(base), exponent), inner)


def flat(terms: Iterable[Product]) -> list[Product]:
    """The terms, those that are a number times a sum as the terms of that sum.

    Not where it would make constants: a·x + b·(1 − y) stays, a + b·(1 − y) does not.
    """
    terms = list(terms)
    spare = any(term.coefficient.free and not term.factors for term in terms)
    found = []
    for term in terms:
        match term.factors:
            case ((Sum(inner), exponent),) if exponent == ONE:
                fixed = [each for each in inner if not each.coefficient.free]
                merged = spare and any(not each.factors for each in fixed)
                if not term.coefficient.free or len(fixed) - merged < 2:
                    found += [each.times(term.coefficient) for each in inner]
                else:
                    found.append(term)
            case _:
                found.append(term)
    return found


def _common(terms: tuple[Product, ...]) -> tuple[Base, Number] | None:
    """An integer power to pull out: in every term, or below one of two terms, x + c/x."""
    for base, exponent in terms[-1].factors + terms[0].factors:
        powers = [dict(term.factors).get(base, ZERO) for term in terms]
        if not exponent.whole or not all(each.whole for each in powers):
            continue
        low, high = (each(power.value for power in powers) for each in (min, max))
        if low > 0 or (low < 0 and _below(terms, base)):
            return base, Number(low)
        if high < 0:
            return base, Number(high)
    return None


def _below(terms: tuple[Product, ...], base: Base) -> bool:
    """Whether to write two terms as one quotient: c + k/x, x + k/x, c + k/(x + d) with k free.

    A fixed k would merge with what is free, and leave a constant more.
    """
    for one, other in (terms, terms[::-1]) if len(terms) == 2 else ():
        if len(one.factors) == 1 and one.factors[0][0] == base:
            free = one.coefficient.free and not other.factors
            if isinstance(base, str) or (isinstance(base, Sum) and free):
                return True
    return False


def multiply(*parts: Sum) -> Sum:
    """Π parts, equal bases merged; sums are not expanded."""
    coefficient, factors = ONE, []
    for part in parts:
        each = as_product(part)
        coefficient *= each.coefficient
        factors += each.factors
    return _merged(coefficient, factors)


def _merged(coefficient: Number, factors: Iterable[tuple[Base, Number]]) -> Sum:
    powers: dict[Base, Number] = {}
    inside: list[Sum] = []
    for base, exponent in factors:
        match base:
            case Call("exp", (inner,)):
                inside.append(multiply(inner, Sum((Product(exponent),))))
            case _:
                powers[base] = powers.get(base, ZERO) + exponent
    kept = [(base, exponent) for base, exponent in powers.items() if exponent.value != 0]
    if inside and (inner := add(*inside)).terms:
        kept.append((Call("exp", (inner,)), ONE))
    kept.sort(key=lambda factor: (key(factor[0]), key(factor[1]), rank(factor[0]), factor[1].value))
    return ordered([Product(coefficient, tuple(kept))])


def as_product(part: Sum) -> Product:
    """The sum as one product, of a monic sum where it has several terms."""
    match part.terms:
        case ():
            return Product(ZERO)
        case (term,):
            return term
        case _:
            coefficient, monic = _monic(part)
            return Product(coefficient, ((monic, ONE),))


def _monic(part: Sum) -> tuple[Number, Sum]:
    """(k, s) with part = k·s; k is free only where every coefficient is."""
    fixed = [term for term in part.terms if not term.coefficient.free]
    reference = fixed[0] if fixed else next(term for term in part.terms if term.factors)
    pulled = reference.coefficient
    inverse = Number(1 / pulled.value, pulled.free)
    rest = [
        Product(ONE, term.factors) if term is reference else term.times(inverse)
        for term in part.terms
    ]
    return pulled, ordered(rest)


def power(part: Sum, exponent: Number) -> Sum:
    """part^exponent."""
    product = as_product(part)
    k, n = product.coefficient, exponent
    if n == ONE or n.value == 0:
        return part if n == ONE else number(1.0)
    if k.value == 0:
        if n.value < 0:
            raise ZeroDivisionError("a formula divides by zero")
        return Sum(())
    if n.whole:
        raised = [(base, Number(m.value * n.value, m.free)) for base, m in product.factors]
        return _merged(Number(k.value**n.value, k.free), raised)
    return _root(k, product.factors, n)


def _root(k: Number, factors: Factors, n: Number) -> Sum:
    """(k · Π b^m)^n for an n that is no integer."""
    if not factors and k.value < 0:
        raise ArithmeticError("a formula takes the root of a negative number")
    if n.free and not k.free and abs(k.value) != 1:
        outside, inside = ONE, k  # outside it would be a constant more
    else:
        outside = Number(abs(k.value) ** n.value, k.free or (n.free and abs(k.value) != 1))
        inside = ONE if k.value > 0 else MINUS
    if inside == ONE and _distributes(factors) and not _multiplies(n, factors):
        return _merged(outside, [(base, m * n) for base, m in factors])
    match factors:
        case ((Sum(terms), m),) if m == ONE:
            base = ordered(term.times(inside) for term in terms)
        case _:
            base = Sum((Product(inside, factors),))
    return ordered([Product(outside, ((base, n),))])


def _multiplies(n: Number, factors: Factors) -> bool:
    """Whether a free exponent would become several: (x·y)^a stays, (x^b·y)^a is x^c·y^d."""
    return n.free and sum(not m.free for _, m in factors) > 1


def _distributes(factors: Factors) -> bool:
    """Whether (Π b^m)^n = Π b^(m·n) wherever the left side is a number."""
    unsure = [
        m
        for base, m in factors
        if isinstance(base, Sum) or (isinstance(base, Call) and base.operation != "exp")
    ]
    even = [m for m in unsure if m.whole and m.value % 2 == 0]
    return len(unsure) < 2 and not even
