"""Closed forms against recursions that are run to their end."""

import numpy as np
import pytest

from psi.lab.tasks import closed_forms
from psi.lab.tasks.noisy_problems import Drift, LeastSquares, NoisyQuadratic
from tests.lab.tasks import exact
from tests.lab.tasks.stepping import numbers


def test_closed_forms_with_other_numbers_than_the_table():
    """Isotropic d = 3 against the recursion, and Kalman's gain by iteration."""
    isotropic = NoisyQuadratic(np.full(3, 0.7), np.full(3, 0.4), np.full(3, 2.0))
    ideal = closed_forms.noisy_quadratic_losses(isotropic, 9, batch=2)
    rates = closed_forms.noisy_quadratic_rate(ideal[:-1], isotropic, batch=2)
    np.testing.assert_allclose(exact.moment_losses(rates, isotropic, batch=2), ideal, rtol=1e-12)
    drift, moment, gain = Drift(0.8, 0.03, 1.0), 1.0, 0.0
    for _ in range(500):
        gain = moment / (moment + 0.8 / 3)
        moment = (1 - gain) * moment + 0.03
    np.testing.assert_allclose(gain, closed_forms.drift_rate(drift, batch=3), rtol=1e-9)
    np.testing.assert_allclose(moment / 2, exact.drift_loss(gain, drift, batch=3), rtol=1e-9)


def test_without_noise_a_quadratic_rate_is_the_inverse_of_the_curvature():
    still = NoisyQuadratic(np.array([4.0]), np.array([0.0]), np.array([1.0]))
    assert closed_forms.noisy_quadratic_rate(0.7, still) == 0.25


def test_no_function_of_the_loss_is_ideal_where_curvatures_differ():
    with pytest.raises(ValueError, match="curvatures must be equal"):
        closed_forms.noisy_quadratic_rate(1.0, numbers("noisy_quadratic_3d"))


def test_least_squares_of_one_input_by_its_fourth_moment():
    """d = B = 1: E (1 − αx²)² = 1 − 2αλ + 3α²λ², lowest at α = ε/(3ε + s²/2)/λ."""
    problem = LeastSquares(2.0, 0.6, np.array([1.5]))
    excess = np.array([0.1, 1.0])
    rates = excess / (3 * excess + 0.18) / 2
    np.testing.assert_allclose(closed_forms.least_squares_rate(excess, problem, 1), rates)
    near = exact.least_squares_next(excess, rates * [[0.99], [1.0], [1.01]], problem, 1)
    assert (near.argmin(0) == 1).all()


def test_chebyshev_error_of_one_step_is_that_of_the_best_constant_rate():
    assert closed_forms.chebyshev_error(1.0, 3.0, 1) == pytest.approx((3 - 1) / (3 + 1))
