"""What was planted is recovered, at small size; at full size: `psi bench fit --only planted`."""

import numpy as np
import pytest

from psi.bench.fitting.planted import grid, planted, power_law, sample
from psi.fit.symbolic.config import SymbolicConfig

SMALL = SymbolicConfig(
    runs=3, population=200, generations=20, length=15, rows=300, folds=4, resamples=10
)


def test_the_saturating_form_is_recovered_from_few_points():
    """400 points at 5 % noise: the constants' standard errors are 1 %."""
    found = planted(100, 0.05, SMALL, count=400)
    assert found.recovered
    assert found.free == 3
    assert found.worst < 1e-6
    assert found.off < 0.05
    assert found.constants == pytest.approx({"a": 0.5, "c": 0.5, "d": 40.0}, rel=0.05)


@pytest.mark.slow
def test_an_exponent_is_recovered_from_few_points():
    found = power_law(1 / 3, 100, 0.05, SMALL, count=300)
    assert found.recovered
    assert found.off < 0.02


def test_a_search_that_is_too_short_does_not_recover():
    tiny = SymbolicConfig(runs=1, population=10, generations=1, length=5, rows=50, resamples=2)
    found = planted(100, 0.05, tiny, count=200)
    assert not found.recovered
    assert found.worst > 0.01


def test_samples_are_what_they_say():
    points = sample(lambda loss, epoch: loss / (1 + epoch), 0, 0.3)
    loss, epoch = points.values
    apart = points.log_rate - np.log(loss / (1 + epoch))
    assert len(loss) == 2000
    assert np.std(apart) == pytest.approx(0.3, rel=0.06)  # 0.3/√(2·2000), times four
    assert set(epoch) == set(range(100))
    assert np.quantile(np.log10(loss), [0.25, 0.75]) == pytest.approx([-2, 0], abs=0.2)
    clean = grid(lambda loss, epoch: loss / (1 + epoch))
    np.testing.assert_allclose(clean.log_rate, np.log(clean.values[0] / (1 + clean.values[1])))
