"""Residuals, their derivatives, and the descent, against differences and SciPy's own soft L1."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from psi.fit.formula.formula import candidate
from psi.fit.formula.residuals import pose, solve
from psi.law.parsing import parse
from tests.fit.formula.planted import SATURATING, sample

FORMULA = candidate(SATURATING, ("loss", "epoch")).formula


def weighted(count=60, noise=0.4):
    data = sample(noise=noise, count=count)
    return data._replace(weight=np.random.default_rng(1).uniform(0.2, 3, count))


@pytest.mark.parametrize("which", ["logs", "relative"])
def test_derivatives_are_those_of_differences(which):
    problem, at, step = pose(FORMULA, weighted()), np.array([1.7, 0.4]), 1e-6
    residuals = getattr(problem, which)
    _, slopes = residuals(at)
    for k, row in enumerate(slopes):
        ahead, behind = (residuals(at + s * step * np.eye(2)[k])[0] for s in (1, -1))
        np.testing.assert_allclose(row, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-8)


def test_residuals_by_hand():
    """√w (log Ψ − log α) and √w (Ψ/α − 1), w of mean 1."""
    data = weighted()
    rate = 1.7 * data.values[0] / (data.values[0] + 0.4)
    root = np.sqrt(data.weight / data.weight.mean())
    problem = pose(FORMULA, data)
    at = np.array([1.7, 0.4])
    np.testing.assert_allclose(problem.logs(at)[0], root * (np.log(rate) - data.log_rate))
    ratio = rate / np.exp(data.log_rate)
    np.testing.assert_allclose(problem.relative(at)[0], root * (ratio - 1), atol=1e-12)


def test_the_descent_ends_where_scipys_soft_l1_does():
    data = weighted()
    data = data._replace(log_rate=data.log_rate + 4.0 * (np.arange(60) % 10 == 0))
    root = np.sqrt(data.weight / data.weight.mean())

    def residuals(at):
        return root * (np.log(at[0] * data.values[0] / (data.values[0] + at[1])) - data.log_rate)

    expected = least_squares(residuals, [1.0, 1.0], loss="soft_l1", xtol=1e-12, ftol=1e-12)
    with np.errstate(invalid="ignore"):
        found = solve(pose(FORMULA, data), np.array([1.0, 1.0]))
    assert found is not None
    assert found[0] == pytest.approx(expected.cost, rel=1e-8)
    np.testing.assert_allclose(found[1], expected.x, rtol=1e-4)


def test_relative_residuals_lead_to_where_a_logarithm_exists():
    """2 ε/(ε + 0.3) − d with d = 0.1 at the start is negative at small ε; −1 is so for good."""
    data = sample(noise=0.0)
    shifted = candidate(parse("a*loss/(loss + c) - d"), ("loss", "epoch")).formula
    with np.errstate(invalid="ignore"):
        found = solve(pose(shifted, data), np.array([2.0, 0.3, 0.1]))
        assert (
            solve(pose(candidate(parse("0 - loss"), data.names).formula, data), np.zeros(0)) is None
        )
    assert found is not None
    np.testing.assert_allclose(found[1], [2.0, 0.3, 0.0], atol=1e-4)
