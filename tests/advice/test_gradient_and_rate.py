"""Findings in gradient norms and rates, planted."""

import numpy as np
import pytest

from psi.advice.diagnosis import diagnose
from psi.advice.gradient_and_rate import (
    gradient_spikes,
    gradients_grow,
    gradients_not_finite,
    gradients_zero,
    rate_impossible,
    rate_zero,
)  # fmt: skip
from psi.advice.log import Log, Series
from tests.advice.logs import log_of

T = np.arange(100.0)


def with_norm(norm: np.ndarray) -> Log:
    log = log_of(2 * np.exp(-T / 20) + 0.1, 0.1)
    return log._replace(gradient_norm=Series(T, norm))


def text(found: object) -> str:
    assert found is not None
    return found.text  # type: ignore


def test_norms_that_are_not_finite() -> None:
    to_the_end = gradients_not_finite(with_norm(np.where(T < 70, 1.0, np.nan)))
    assert "in 30 of 100 lines, first at epoch 70: it stays so to the end" in text(to_the_end)
    between = gradients_not_finite(with_norm(np.where(T % 40 == 9, np.inf, 1.0)))
    assert "in 3 of 100 lines, first at epoch 9: mixed precision" in text(between)


def test_norms_of_zero() -> None:
    assert "exactly 0 from epoch 60 on" in text(gradients_zero(with_norm(1.0 * (T < 60))))
    assert gradients_zero(with_norm(1.0 * (T % 2))) is None


def test_norms_that_grow() -> None:
    found = text(gradients_grow(with_norm(np.where(T < 80, 1.5, 80.0))))
    assert "1.5 in the first half of the log and 80 in the last 10 lines" in found
    assert gradients_grow(with_norm(1 + 0.05 * T)) is None


def test_single_norms_that_are_large() -> None:
    norm = np.ones(100)
    norm[[30, 66]] = 25, 40
    found = text(gradient_spikes(with_norm(norm)))
    assert "in 2 lines, at most 40 at epoch 66" in found


def test_norms_that_scatter_are_no_finding() -> None:
    """Log-normal with a deviation of 0.5: 1 of 200 draws of 100 lines, seed fixed."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        log = with_norm(np.exp(0.5 * rng.normal(size=100)))
        rules = (gradients_not_finite, gradients_zero, gradients_grow, gradient_spikes)
        wrong += any(rule(log) for rule in rules)
    assert wrong <= 1


def test_rates_that_cannot_be() -> None:
    loss = 2 * np.exp(-T / 20) + 0.1
    assert "negative in 1 line" in text(rate_impossible(log_of(loss, np.where(T == 3, -0.1, 0.1))))
    gone = log_of(loss, np.where(T < 90, 0.1, np.nan))
    assert "not finite in 10 lines, first at epoch 90" in text(rate_impossible(gone))
    assert rate_impossible(log_of(loss)) is None


@pytest.mark.parametrize(("first", "found"), [(0, True), (80, True), (99, False)])
def test_a_rate_of_zero(first: int, found: bool) -> None:
    log = log_of(2 * np.exp(-T / 20) + 0.1, np.where(first > T, 0.1, 0.0))
    assert (rate_zero(log) is not None) is found
    assert ("rate is 0" in {each.name for each in diagnose(log)}) is found
