"""Findings in single lines of a log: what is not finite, jumps, ε_0 and the length of updates."""

import numpy as np
import pytest

from psi.advice.diagnosis import diagnose
from psi.advice.findings import (
    at_rates,
    jumps,
    not_finite,
    position,
)
from tests.advice.logs import log_of


def test_what_is_not_finite_is_counted_and_placed() -> None:
    found = not_finite(log_of([2.0, np.nan, 1.0, -np.inf, 1.0], [0.1, 0.2, 0.3, 0.4, 0.5]))
    assert found is not None
    assert found.text.startswith(
        "The loss is not finite in 2 of 5 lines, first at epoch 1 at rate 0.2."
    )
    assert found.span == (1, 3)
    assert not_finite(log_of([2.0, 1.0])) is None


def test_positions_and_rates_in_words() -> None:
    assert position(log_of([1.0]), 12.0) == "epoch 12"
    assert at_rates(np.array([np.nan, np.nan])) == ""
    assert at_rates(np.array([0.1, np.nan, 0.1])) == " at rate 0.1"
    assert at_rates(np.array([0.3, 0.001])) == " at rates from 0.001 to 0.3"


@pytest.mark.parametrize(("height", "found"), [(0.2, False), (0.6, True)])
def test_a_jump_is_ten_times_the_usual_change_and_a_quarter_of_the_fall(
    height: float, found: bool
) -> None:
    """The loss falls by 2 in all."""
    loss = 2.0 * np.exp(-np.arange(60) / 10)
    loss[30] += height
    assert (jumps(log_of(loss)) is not None) is found


def test_jumps_of_single_lines() -> None:
    loss = 2.0 * np.exp(-np.arange(60) / 10) + 0.2
    loss[[20, 45]] += (1.5, 3.0)
    found = diagnose(log_of(loss))
    assert found[0].name == "spikes"
    assert found[0].text.startswith("2 times the loss jumps up, at epoch 45 from 0.22")
    assert found[0].span == (20, 45)


def test_a_jump_that_stays_is_no_spike() -> None:
    loss = 2.0 * np.exp(-np.arange(400) / 50) + 0.2
    loss[-4:] = 2.2
    found = diagnose(log_of(loss, 0.3))[0]
    assert found.name == "rate too high"
    assert "jumps up at epoch 396 from 0.201 to 2.2 and stays there at rate 0.3" in found.text


def test_above_the_loss_before_training() -> None:
    loss = [9.0, 4.0, 2.2, *np.geomspace(2, 0.1, 17)]
    assert [each.name for each in diagnose(log_of(loss))] == ["healthy"]
    found = diagnose(log_of(loss, 0.5), initial_loss=np.log(10))
    assert "more than 1.3 times 2.3, what it is before training, in 2 lines" in found[0].text
    assert "up to 9: the initialisation is bad, or updates did harm" in found[0].text
    later = diagnose(log_of([2.2, np.inf, *loss[2:]]), initial_loss=np.log(10))[1]
    assert "in 1 line, first at epoch 1: updates did harm" in later.text
    with pytest.raises(ValueError, match="initial_loss must be positive and finite, got 0"):
        diagnose(log_of(loss), 0.0)


@pytest.mark.parametrize(
    ("ratio", "ending"),
    [
        (5e-2, "far above it: the rate is rather too high"),
        (5e-3, "is above it"),
        (1e-3, "near it"),
        (2e-5, "far below it: the rate is rather too low"),
    ],
)
def test_updates_beside_weights(ratio: float, ending: str) -> None:
    found = diagnose(log_of(np.geomspace(2, 0.1, 20), 0.1, ratio))[-1]
    assert found.name == "update-to-weight ratio"
    assert found.text.endswith(f"{ending}.")
