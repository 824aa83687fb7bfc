"""Iso-rate contours on the exponential tail, where they are known."""

import jax
import numpy as np
import pytest

from psi.ideal.branched import Branching, branch_surface
from psi.ideal.continuation import CONSTANT
from psi.ideal.contour import iso_rate
from psi.lab.engine.branch import starts
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

KEY = jax.random.key(5)
GRID = np.geomspace(0.01, 1.0, 10)
ONE_STEP = Branching(1, CONSTANT, orders=0, rounds=2)


def test_iso_rate_contours():
    """exp(−x): α = r/ε gains r nats (G9); nothing is said where nothing was tried."""
    task = make_task("exponential_tail", Hyper(epochs=1))
    surface = branch_surface(task, starts(task, np.zeros(1, int), KEY), GRID, ONE_STEP, KEY)
    assert iso_rate(surface, 0.5)[0] == pytest.approx(0.5, rel=0.02)
    assert np.isnan(iso_rate(surface, 2.0)).all()
    assert np.isnan(iso_rate(surface, 0.001)).all()
