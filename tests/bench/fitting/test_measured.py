"""Known laws found again: here from exact values in place of trained runs."""

import numpy as np
import pytest

from psi.bench.fitting import measured
from psi.fit.symbolic.config import SymbolicConfig

SMALL = SymbolicConfig(runs=2, population=100, generations=10, length=15, folds=4, resamples=10)
TINY = SymbolicConfig(runs=1, population=10, generations=1, length=5, resamples=2)


def test_exponents_are_found_from_exact_power_laws(monkeypatch):
    """α = ε^((2 − p)/p) for c|x|^p, α = √ε for sign descent, α = 1/ε for an exponential tail."""
    excess = np.geomspace(0.01, 1.0, 7)

    def power(p, optimizer):
        return excess, excess ** (0.5 if optimizer == "sign" else (2 - p) / p)

    monkeypatch.setattr(measured, "measured_power", power)
    monkeypatch.setattr(measured, "measured_tail", lambda excess: (excess, 1 / excess))
    rows = measured.exponents()
    assert all(row.ok for row in rows)
    np.testing.assert_allclose([r.estimate for r in rows], [r.truth for r in rows], atol=1e-6)


@pytest.mark.parametrize(("power", "config", "ok"), [(1.0, SMALL, True), (0.5, TINY, False)])
def test_a_saturating_form_is_told_from_another(monkeypatch, power, config, ok):
    """2 ε/(ε + 0.3) is found with its constants; with √ε in place of ε it is another form."""
    monkeypatch.setattr(measured, "SymbolicConfig", lambda: config)
    excess = np.geomspace(0.01, 10.0, 40)
    rates = 2.0 * excess**power / (excess**power + 0.3)
    form, top, middle = measured._saturating("G1", excess, rates, 2.0, 0.3)
    assert form.ok == ok
    if ok:
        assert (top.estimate, middle.estimate) == pytest.approx((2.0, 0.3), rel=0.01)
