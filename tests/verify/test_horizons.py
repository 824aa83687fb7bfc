"""G4's numbers from the recursion of its moments, and G5 with fewer runs."""

import numpy as np
import pytest

from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task
from psi.verify import horizons
from psi.verify.greedy import numbers_of
from tests.lab.tasks.exact import greedy_rates, moment_losses


def test_what_is_written_down_of_g4_follows_from_the_recursion():
    """Greedy, and the best constant continuation, chosen on a fine grid in every step."""
    problem = numbers_of(make_task("noisy_quadratic_3d", Hyper(epochs=horizons.STEPS)))
    greedy = moment_losses(greedy_rates(problem, horizons.STEPS), problem)[-1]
    assert greedy == pytest.approx(horizons.GREEDY, rel=1e-3)
    h, variance, moments = (np.asarray(a, float) for a in problem)
    rates = np.geomspace(0.004, horizons.STABLE, 400)[:, None]
    for i in range(horizons.STEPS):
        end = moments
        for _ in range(i, horizons.STEPS):
            end = (1 - rates * h) ** 2 * end + rates**2 * variance
        best = rates[(end @ h).argmin()]
        moments = (1 - best * h) ** 2 * moments + best**2 * variance
    assert h @ moments / 2 == pytest.approx(dict_of(horizons.TO_THE_END)["constant"], rel=3e-3)


def dict_of(pairs):
    return {continuation.name: loss for continuation, loss in pairs}


def test_the_noise_floor_in_small():
    for row in horizons.noise_floor(65_536):
        assert row.ok, row
