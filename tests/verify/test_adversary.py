"""G13: the functions that the search finds are convex and Lipschitz, and bad for the schedule."""

import numpy as np
import pytest

from psi.verify.adversary import LINEAR, STEPS, _parts, _worst


@pytest.mark.slow
def test_the_worst_function_for_the_linear_schedule_meets_the_bound():
    """No pair of points breaks the conditions of interpolation, and the end is DG/√(N+1)."""
    rates = np.arange(STEPS, 0, -1) / (STEPS + 1) ** 1.5
    slopes, values, first = (np.asarray(a) for a in _parts(_worst(rates).x))
    moved = np.cumsum(rates[:, None] * slopes[:-1], axis=0)
    points = first - np.concatenate([np.zeros((1, len(first))), moved])
    above = values[:, None] - values - ((points[:, None] - points) * slopes).sum(-1)
    assert above.min() > -1e-6
    assert (values - (slopes * points).sum(1) <= 1e-6).all()
    assert np.linalg.norm(slopes, axis=1).max() <= 1 + 1e-6
    assert np.linalg.norm(first) <= 1 + 1e-6
    assert values[-1] * np.sqrt(STEPS + 1) == pytest.approx(LINEAR, abs=0.01)
