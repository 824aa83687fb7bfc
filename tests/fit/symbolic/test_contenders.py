"""What goes on from many structures: short for what it fits, each structure once."""

import numpy as np

from psi.fit.formula.formula import candidate
from psi.fit.symbolic.config import SymbolicConfig
from psi.fit.symbolic.contenders import EACH, contenders
from psi.fit.symbolic.simplify import canonical
from psi.law.expression import size
from psi.law.parsing import parse
from tests.fit.symbolic.planted import relative

CONFIG = SymbolicConfig(runs=0, rows=300)
NAMES = ("loss_ratio", "progress")


def found(*formulas):
    return contenders([candidate(parse(each), NAMES) for each in formulas], relative(), CONFIG)


def structure(formula):
    return canonical(candidate(parse(formula), NAMES), NAMES)[0]


def structures(fits):
    return [canonical(each.candidate, NAMES)[0] for each in fits]


def test_what_is_planted_is_reached_by_taking_parts_away():
    """From a ε/(ε + c)·(1 − t) + d·tanh(ε): the truth is what is left without the offset."""
    fits = found("a*loss_ratio/(loss_ratio + c)*(1 - progress) + d*tanh(loss_ratio)")
    assert structure("a*loss_ratio/(loss_ratio + c)*(1 - progress)") in structures(fits)


def test_a_structure_is_kept_once_and_valid_rates_come_first_shortest_first():
    fits = found("a*(1 - progress)", "b*c*(1 - progress)", "loss_ratio - a", "a*loss_ratio^b")
    assert len(set(structures(fits))) == len(fits)
    valid = [not each.failure for each in fits]
    assert valid == sorted(valid, reverse=True)
    sizes = [size(each.formula.tree) for each in fits if not each.failure]
    assert sizes == sorted(sizes)
    assert max(np.bincount(sizes)) <= EACH


def test_every_longer_contender_fits_better():
    rates = [each for each in found("a*loss_ratio/(loss_ratio + c)*(1 - progress)")
             if not each.failure]  # fmt: skip
    best = {}
    for each in rates:
        length = size(each.formula.tree)
        shorter = [error for other, error in best.items() if other < length]
        assert each.error < min(shorter, default=np.inf)
        best[length] = min(best.get(length, np.inf), each.error)


def test_what_divides_by_zero_is_no_contender():
    assert found("1/(loss_ratio - loss_ratio)") == []
