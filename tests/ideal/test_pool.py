"""Several tasks as one: the rate that they share."""

import jax
import numpy as np
import pytest

from psi.ideal.branched import Branching, best_rates, branch_surface
from psi.ideal.continuation import CONSTANT
from psi.ideal.pool import pooled
from psi.lab.engine.branch import starts
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

KEY = jax.random.key(5)


def test_the_mixture_has_a_rate_of_its_own():
    """G3 with two tasks at one loss: the mean loss and the mean log loss want different rates,
    both between those of the tasks."""
    task = make_task("noisy_quadratic", Hyper(epochs=1))
    steep = task._replace(
        arrays=task.arrays._replace(
            curvature=task.arrays.curvature * 4, initial=task.arrays.initial / 4
        )
    )
    branching, grid = Branching(1, CONSTANT, 0), np.geomspace(0.01, 1.0, 24)
    surfaces = [
        branch_surface(each, starts(each, np.arange(4096), KEY), grid, branching, KEY)
        for each in (task, steep)
    ]
    # ε = 4 for both, σ² = 1: E[h] ε / (E[h²] ε + E[hσ²]/2) with h = 2 and 8
    mean = best_rates(pooled(surfaces))[0]
    assert mean == pytest.approx(5 * 4 / (34 * 4 + 2.5), rel=0.03)
    log = best_rates(pooled(surfaces, log=True))[0]
    alone = [best_rates(each)[0] for each in surfaces]
    assert min(alone) < log < max(alone)
    assert abs(np.log(log / mean)) > 0.02
    with pytest.raises(ValueError, match="pooled only where they share"):
        pooled([surfaces[0], surfaces[1].assign(lr=2 * surfaces[1].lr)])
