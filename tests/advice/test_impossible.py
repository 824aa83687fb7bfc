"""Losses that cannot be, planted; and losses near them that can."""

from collections.abc import Callable

import numpy as np
import pytest

from psi.advice.diagnosis import diagnose
from psi.advice.impossible import constant, no_floor, turns_zero
from psi.advice.smoothing import trend
from tests.advice.logs import log_of

T = np.arange(60.0)
FALLS = 2 * np.exp(-T / 10) + 0.3


@pytest.mark.parametrize("first", [5, 30, 57, 59])
@pytest.mark.parametrize("seed", range(3))
def test_kind_of_loss_that_turns_zero(first: int, seed: int) -> None:
    loss = FALLS * (1 + 0.02 * np.random.default_rng(seed).normal(size=60))
    loss[first:] = 0
    found = diagnose(log_of(loss, 0.1))
    assert found[0].name == "loss is exactly 0"
    assert f"from {loss[first - 1]:.4g} to exactly 0 at epoch {first} and stays" in found[0].text
    assert not {"healthy", "still falling"} & {each.name for each in found}


def test_single_zeros() -> None:
    loss = FALLS.copy()
    loss[[20, 33]] = 0
    found = turns_zero(log_of(loss))
    assert found is not None
    assert "at epoch 20, and is 0 in 2 lines" in found.text


@pytest.mark.parametrize(
    "loss",
    [
        np.round(2 * np.exp(-T / 5), 2),  # falls until it is rounded to 0
        np.append(0.0, FALLS),
        1 - T / 30,  # crosses zero
        FALLS,
    ],
)
def test_a_loss_that_may_be_zero(loss: np.ndarray) -> None:
    assert turns_zero(log_of(loss)) is None


@pytest.mark.parametrize("value", [0.6931471805599453, 0.0, -3.5, 2.302585, 1e-7])
@pytest.mark.parametrize("lines", [8, 60, 1000])
def test_kind_of_constant_loss(value: float, lines: int) -> None:
    (found,) = diagnose(log_of(np.full(lines, value), 0.1))
    assert found.name == "constant loss"
    assert f"exactly {value:.6g} in all {lines:,} lines" in found.text


def test_a_loss_that_is_constant_from_some_line_on() -> None:
    loss = FALLS.copy()
    loss[40:] = 0.693147
    found = constant(log_of(loss))
    assert found is not None
    assert "exactly 0.693147 from epoch 40 on in 20 lines" in found.text
    assert constant(log_of(np.round(FALLS, 1))) is None  # by rounding
    assert constant(log_of(np.append(FALLS, FALLS[-1]))) is None


FALLING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as a power": lambda t: -3e4 * (1 + t) ** 2,
    "evenly": lambda t: 0.69 - 2 * t,
    "exponentially": lambda t: 0.7 - np.exp(t / 6),
    "from a positive loss": lambda t: 5 - 0.2 * t**2,
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", FALLING)
def test_kind_of_loss_without_a_floor(name: str, seed: int) -> None:
    loss = FALLING[name](T)
    loss *= 1 + 0.02 * np.random.default_rng(seed).normal(size=60)
    (found,) = diagnose(log_of(loss, 0.1))
    assert found.name == "loss without a floor"
    assert f"{loss[-1]:.4g} at epoch 59" in found.text


@pytest.mark.parametrize(
    "loss",
    [
        3 - 5 * (1 - np.exp(-T / 15)),  # a log-density
        1 - 4 * np.log1p(T),
        -20 + FALLS,
        0.5 - 0.05 * T,
    ],
)
def test_a_negative_loss_that_may_well_be(loss: np.ndarray) -> None:
    log = log_of(loss)
    assert no_floor(log, trend(log)) is None
