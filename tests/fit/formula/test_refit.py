"""Constants are refitted in log α."""

import numpy as np
import pytest

from psi.fit.formula.formula import Candidate, Formula, Parameter, candidate
from psi.fit.formula.refit import log_residuals, refit
from psi.law.parsing import parse
from psi.law.printing import text
from tests.fit.formula.planted import SATURATING, sample

NAMES = ("loss", "epoch")


def given(formula, **start):
    return candidate(parse(formula), NAMES, start)


def constants(fit):
    return dict(zip(fit.formula.names, fit.fitted, strict=True))


def test_constants_without_noise_are_exact_from_afar():
    found = refit(candidate(SATURATING, NAMES, {"a": 50.0, "c": 0.001}), sample(noise=0.0))
    assert constants(found) == pytest.approx({"a": 2.0, "c": 0.3}, rel=1e-6)
    assert found.error < 1e-6
    assert text(found.expression, 3) == "2*loss/(loss + 0.3)"


def test_positive_constants_start_and_end_as_logarithms():
    formula = Formula(SATURATING, (Parameter("a", True), Parameter("c", True)))
    found = refit(Candidate(formula, np.log([50.0, 0.001])), sample(noise=0.0))
    np.testing.assert_allclose(found.fitted, np.log([2.0, 0.3]), atol=1e-6)


def test_wild_labels_and_weights():
    """One label in 20 five nats too high: its mean pull is 0.25 nats, under soft L1 that of
    0.05·5/√26 = 0.05."""
    clean = sample(noise=0.01)
    wild = clean.log_rate.copy()
    wild[::20] += 5
    robust = refit(candidate(SATURATING, NAMES), clean._replace(log_rate=wild))
    assert robust.fitted[0] == pytest.approx(2.0, rel=0.1)
    weight = np.where(np.arange(400) % 20 == 0, 0.0, 1.0)
    weighted = refit(candidate(SATURATING, NAMES), clean._replace(log_rate=wild, weight=weight))
    assert weighted.fitted[0] == pytest.approx(2.0, rel=0.01)


def test_a_start_that_is_negative_somewhere_is_led_out():
    """2 ε/(ε + 0.3) − 0.1 < 0 at small ε, where a logarithm does not exist."""
    found = refit(given("a*loss/(loss + c) - d", a=2.0, c=0.3, d=0.1), sample())
    assert not found.failure
    assert found.error == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("log(loss)", "finite and positive"),
        ("loss - 1", "finite and positive"),
        ("a*b*loss", "do not determine"),
        ("a*loss + b*0", "do not determine"),
    ],
)
def test_a_failure_is_a_reason(formula, reason):
    assert reason in refit(given(formula), sample()).failure


def test_fewer_points_than_constants():
    few = sample().take(np.arange(2))
    with pytest.raises(ValueError, match=r"3 constants .* column loss has 2"):
        refit(given("a*loss^b + c"), few)


def test_a_formula_without_constants():
    found = refit(given("2*loss/(loss + 0.3)"), sample(noise=0.0))
    assert (found.formula.names, found.failure) == ((), "")
    assert found.error < 1e-12


def test_log_residuals_are_nan_where_there_is_no_rate():
    found = refit(candidate(SATURATING, NAMES), sample())
    below = found._replace(fitted=np.array([-1.0, 0.3]))
    assert np.isnan(log_residuals(below, sample())).all()
