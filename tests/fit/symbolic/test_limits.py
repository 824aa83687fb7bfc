"""Which formulas are no learning rate somewhere."""

import numpy as np
import pytest

from psi.fit.formula.families import SIZED
from psi.fit.formula.points import points
from psi.fit.symbolic.limits import refusal
from psi.law.parsing import parse


def data_over(low=0.01, high=1.0):
    grid = np.meshgrid(np.geomspace(low, high, 12), np.linspace(0, 0.9, 12))
    return points(("loss_ratio", "progress"), np.stack([g.ravel() for g in grid]), np.ones(144))


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("0.1/loss_ratio", ""),
        ("0.3*loss_ratio^0.5*(1 - progress)", ""),
        ("loss_ratio*exp(-3*progress)", ""),
        ("log(loss_ratio - 0.02)", "not finite in the domain"),
        ("loss_ratio - 0.02", "not positive in the domain"),
        ("2 + 1/(loss_ratio - 0.5)/1000000", "a pole in the domain"),
        ("loss_ratio - 0.005", "negative beyond the domain"),
        ("0.95 - progress", "negative beyond the domain"),
        ("1/(1 - progress)", "not finite beyond the domain"),
        ("exp(0.02/loss_ratio)", "grows without bound"),
        ("loss_ratio^(-3)", "grows without bound"),
        ("0", "not positive in the domain"),
    ],
)
def test_limits(formula, reason):
    found = refusal(parse(formula), data_over())
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_limits_ask_for_no_size_that_was_not_seen():
    """A loss falls below what was seen; the number of parameters is held in it."""
    grid = np.meshgrid(np.geomspace(0.01, 1, 8), np.linspace(0, 0.9, 8), np.geomspace(10, 1e4, 8))
    data = points(SIZED, np.stack([g.ravel() for g in grid]), np.ones(512))
    assert refusal(parse("parameters - 9"), data) == ""
    assert refusal(parse("parameters - 11"), data).startswith("not positive in the domain")
