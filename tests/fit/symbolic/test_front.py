"""Which row of a front is chosen, and what is dropped from one."""

import numpy as np

from psi.fit.formula.formula import Formula
from psi.fit.formula.held_out import HeldOut
from psi.fit.formula.refit import Fit
from psi.fit.symbolic.front import choose, shortest, undominated
from psi.law.parsing import parse


def judged(complexity, squares):
    tree = parse("+".join(["loss"] * ((complexity + 1) // 2)))
    return Fit(Formula(tree), np.zeros(0), 1.0), HeldOut(np.array(squares, float), np.ones(4))


def test_the_simplest_within_two_standard_errors_of_the_difference():
    """Mean squares 1.1, 1.05, 1: the second is worse by 0.05 in each unit, beyond doubt, the
    third row's lead over it noise in a second case."""
    sure = undominated([judged(1, [2.1] * 4), judged(3, [1.05] * 4), judged(5, [1, 1, 1, 1])])
    assert choose(sure) == 2
    noisy = undominated([judged(1, [2.1] * 4), judged(3, [1.3, 0.8, 1.3, 0.8]), judged(5, [1] * 4)])
    assert choose(noisy) == 1
    assert [row.complexity for row in noisy] == [1, 3, 5]


def test_what_is_longer_and_no_better_is_dropped():
    rows = undominated(
        [judged(5, [1.0] * 4), judged(1, [3.0] * 4), judged(7, [1.0] * 4), judged(3, [4.0] * 4),
         judged(9, [np.inf] * 4)]
    )  # fmt: skip
    assert [row.complexity for row in rows] == [1, 5]


def test_the_shortest_within_two_hundredths_of_a_nat():
    assert shortest(np.array([0.5, 0.119, 0.1, 0.3])) == 1
    assert shortest(np.array([0.5, 0.121, 0.1, 0.3])) == 2
