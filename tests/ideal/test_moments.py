"""Rates found on the recursion of the moments: greedy, Chebyshev, the reference instance."""

import numpy as np
import pytest

from psi.ideal.moments import joint_rates, mean_oracle, worst_oracle
from psi.lab.tasks.closed_forms import chebyshev_error, noisy_quadratic_losses
from psi.lab.tasks.noisy_problems import NoisyQuadratic
from tests.lab.tasks.exact import chebyshev_rates, greedy_rates, moment_losses

REFERENCE = NoisyQuadratic(
    np.array([10.0, 1.0, 0.1]), np.array([0.5, 0.2, 0.1]), np.array([1.0, 2.0, 3.0])
)


def test_the_gradient_oracle_on_one_curvature_is_the_greedy_schedule():
    """G1: greedy is optimal for every T, so T rates at once must end where it ends."""
    one = NoisyQuadratic(np.array([2.0]), np.array([1.0]), np.array([4.0]))
    found = mean_oracle(one, 12, 0.5)
    assert moment_losses(found, one)[-1] == pytest.approx(
        noisy_quadratic_losses(one, 12)[-1], rel=1e-5
    )


@pytest.mark.slow
def test_joint_rates_of_horizon_one_are_greedy_and_of_the_whole_are_the_oracle():
    """G4 in 12 steps; L-BFGS against the closed form, and against itself."""
    np.testing.assert_allclose(
        joint_rates(REFERENCE, 12, 1, 0.2), greedy_rates(REFERENCE, 12), rtol=1e-3
    )
    whole = moment_losses(joint_rates(REFERENCE, 12, 12, 0.2), REFERENCE)[-1]
    oracle = moment_losses(mean_oracle(REFERENCE, 12, 0.2), REFERENCE)[-1]
    assert whole == pytest.approx(oracle, rel=1e-3)
    assert oracle < 0.9 * moment_losses(greedy_rates(REFERENCE, 12), REFERENCE)[-1]


def test_the_reference_instance():
    """G4 as it is written down: 0.03112 with rates up to 0.2, mean rate 0.1749."""
    found = mean_oracle(REFERENCE, 60, 0.2)
    assert moment_losses(found, REFERENCE)[-1] == pytest.approx(0.03112, rel=1e-3)
    assert found.mean() == pytest.approx(0.1749, rel=2e-3)
    assert found.max() <= 0.2


@pytest.mark.parametrize("epochs", [1, 2, 5, 8])
def test_the_worst_direction_is_chebyshevs(epochs):
    curvature = np.linspace(1, 10, 400)
    found = worst_oracle(curvature, epochs)
    worst = np.abs(np.prod(1 - found[:, None] * curvature, axis=0)).max()
    assert worst == pytest.approx(chebyshev_error(1.0, 10.0, epochs), rel=2e-3)
    np.testing.assert_allclose(
        np.sort(found), np.sort(chebyshev_rates(1.0, 10.0, epochs)), rtol=0.02
    )


def test_oracles_that_make_no_sense():
    with pytest.raises(ValueError, match="got 0 and"):
        mean_oracle(REFERENCE, 0, 0.2)
    with pytest.raises(ValueError, match=r"got 3 and -1\.0"):
        joint_rates(REFERENCE, 3, 4, -1.0)
