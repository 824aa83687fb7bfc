"""Formulas with one part less."""

import numpy as np

from psi.fit.symbolic.reduce import reductions
from psi.fit.symbolic.simplify import canonical, simplified
from psi.law.expression import size
from tests.fit.symbolic.planted import FEATURES, given


def test_reductions_are_shorter_and_hold_the_formula_without_its_offset():
    start = {"a": 20.0, "b": 0.5, "c": 40.0, "d": 1e-4}
    whole = simplified(given("a*x/((x + b)*(y + c)) + d", **start), FEATURES)
    less = list(reductions(whole, FEATURES))
    keys = {canonical(each, FEATURES)[0] for each in less}
    assert all(size(each.formula.tree) < size(whole.formula.tree) for each in less)
    known = set(whole.start)
    assert all(v in known or np.isnan(v) for each in less for v in each.start)
    for expected in ("a*x/((x + b)*(y + c))", "a*x/(x + b) + d", "a*x/(x + b)", "a"):
        wanted = canonical(given(expected), FEATURES)[0]
        reached = wanted in keys or any(
            wanted == canonical(again, FEATURES)[0]
            for each in less
            for again in reductions(each, FEATURES)
        )
        assert reached, expected
