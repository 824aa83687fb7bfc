"""Findings in a smoothed loss, against trainings on a quadratic whose noise floor is known."""

from collections.abc import Callable

import numpy as np
import pytest

from psi.advice.diagnosis import diagnose
from psi.advice.findings import Finding
from psi.advice.log import Log
from psi.advice.loss_curve import overall, rate_cuts, rising
from psi.advice.smoothing import Trend, trend
from tests.advice.logs import STEPS, floor, log_of, trained


def smoothed(log: Log) -> Trend:
    curve = trend(log)
    assert curve is not None
    return curve


def names(log: Log) -> list[str]:
    return [each.name for each in diagnose(log)]


def test_a_rise_is_placed_and_measured() -> None:
    """A straight fall by 1, then a straight rise by 0.5 from line 60 on."""
    at = np.arange(100)
    loss = np.where(at < 60, 2 - at / 60, 1 + 0.5 * (at - 60) / 39)
    noise = 0.005 * np.random.default_rng(0).normal(size=100)
    log = log_of(loss + noise, 0.1)
    found = rising(log, smoothed(log))
    assert found is not None
    assert found.name == "rate too high"
    assert found.span is not None
    assert found.span == pytest.approx((60, 99), abs=3)
    low, high = (float(found.text.split(word)[1].split()[0]) for word in ("from ", " to "))
    assert (low, high) == pytest.approx((1.0, 1.5), abs=0.1)  # smoothing rounds the corner off
    falling = log_of(loss[:60], 0.1)
    assert rising(falling, smoothed(falling)) is None


def test_a_rate_that_is_cut_without_effect_is_no_finding() -> None:
    at = np.arange(80)
    log = log_of(2 * np.exp(-at / 20), np.where(at < 40, 0.1, 0.01))
    assert rate_cuts(log, smoothed(log)) == []


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (lambda t: 2.0 - 1e-3 * t, "rate too low"),
        (lambda t: 2.0 - 0.5 * t, "rate too low"),
        (lambda t: 2.0 * np.exp(-2 * t), "still falling"),
        (lambda t: 2.0 * np.exp(-30 * t) + 0.5, "plateau"),
        (lambda t: 2.0 * (1 + 50 * t) ** -0.7, "healthy"),
    ],
)
def test_the_shape_as_a_whole(loss: Callable[[np.ndarray], np.ndarray], name: str) -> None:
    log = log_of(loss(np.linspace(0, 1, 60)))
    found = overall(log, smoothed(log), None)
    assert found is not None
    assert found.name == name


def test_after_a_rise_nothing_is_healthy_and_no_plateau_begins_before_it() -> None:
    log = log_of(2.0 * np.exp(-30 * np.linspace(0, 1, 60)) + 0.5)
    risen = Finding("spikes", "", (0.0, 59.0))
    assert overall(log, smoothed(log), risen) is None


def test_a_constant_rate_ends_at_its_noise_floor() -> None:
    (found,) = diagnose(trained(np.full(60, 0.05), noise=2.0))
    assert found.name == "noise floor"
    assert "cut the rate" in found.text
    # By n steps (1 − α)^(2 n) of the first loss is a tenth of the floor.
    by_then = np.log(32 / (0.1 * floor(0.05, 2.0))) / (-2 * np.log(0.95)) / STEPS
    assert found.span is not None
    assert by_then - 2 < found.span[0] < by_then + 4


def test_a_cut_of_the_rate_shows_the_noise_floor_before_it() -> None:
    rates = np.where(np.arange(60) < 40, 0.05, 0.02)
    found = diagnose(trained(rates, noise=2.0))[0]
    assert found.name == "noise floor"
    assert "cut from 0.05 to 0.02 at epoch 40" in found.text
    fell = float(found.text.split("at once by ")[1].split()[0])
    assert fell == pytest.approx(floor(0.05, 2.0) - floor(0.02, 2.0), rel=0.25)
    assert found.span is not None
    assert found.span[1] == 40


def test_a_schedule_that_ends_too_early() -> None:
    rates = np.where(np.arange(60) < 8, 0.01, 1e-6)
    (found,) = diagnose(trained(rates))
    assert found.name == "plateau"
    assert "the rate had fallen from 0.01: it is done, or that was too early" in found.text


def test_one_that_is_not_done() -> None:
    assert names(trained(np.full(30, 0.0015))) == ["still falling"]
    slow = diagnose(trained(np.full(30, 0.0003)))
    assert slow[0].name == "rate too low"
    assert "as fast at the end as at the beginning" in slow[0].text


def test_what_rises_beyond_twice_the_first_is_told_as_it_was_logged() -> None:
    found = diagnose(log_of([2.3, 2.0, 1.8, 1.7, 1.6, 1.7, 2, 4, 10, 1e2, 1e3, 1e4, 1e5, 1e6]))[0]
    assert "at epoch 4 to 1e+06 at epoch 13" in found.text.replace("epoch 3", "epoch 4")


def test_a_loss_below_zero_has_plateaus_too() -> None:
    t = np.arange(100)
    noise = 0.3 * np.random.default_rng(0).normal(size=100)
    assert names(log_of(1 - 10 * (1 - np.exp(-t / 5)) + noise, 0.1)) == ["noise floor"]
