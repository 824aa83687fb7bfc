"""Diagnoses of trainings whose trouble is planted, and of losses that fall as they should."""

from pathlib import Path

import numpy as np
import pytest

from psi.advice.diagnosis import diagnose
from psi.advice.findings import Finding
from psi.advice.log import Columns, Log
from tests.advice.logs import STRANGE, log_of, trained


def names(log: Log, initial_loss: float | None = None) -> list[str]:
    return [each.name for each in diagnose(log, initial_loss)]


# Planted trouble


def test_a_rate_beyond_the_bound_is_too_high() -> None:
    found = diagnose(trained(np.full(12, 2.02)))
    assert [each.name for each in found] == ["rate too high"]
    assert "rises from" in found[0].text
    assert "at rate 2" in found[0].text


def test_a_loss_that_is_no_number_any_more_is_too_high_a_rate_from_there() -> None:
    rates = np.where(np.arange(30) < 10, 0.05, 40.0)
    log = trained(rates)
    first = int(np.argmax(~np.isfinite(log.loss)))
    assert first > 10
    found = diagnose(log)
    assert found[0].name == "rate too high"
    assert f"not finite in {30 - first} of 30 lines, first at epoch {first} at rate 40" in (
        found[0].text
    )
    assert found[0].span == (first, 29)


@pytest.mark.parametrize("rate", [1e-6, 1e-4])
def test_a_rate_far_too_low(rate: float) -> None:
    assert names(trained(np.full(40, rate))) == ["rate too low"]


def test_a_good_training_is_healthy() -> None:
    rates = 0.03 * (1 - np.arange(40) / 40)
    for seed in range(5):
        assert names(trained(rates, seed)) == ["healthy"]


def test_one_jump_in_a_flat_loss_is_no_ruin() -> None:
    loss = 2.3 + 0.01 * np.random.default_rng(0).normal(size=60)
    loss[30] = 5.0
    assert names(log_of(loss)) == ["spikes", "rate too low"]


def test_a_first_line_of_zero_is_no_loss_to_compare_with() -> None:
    loss = [0.0, *np.geomspace(2.2, 0.2, 39)]
    assert not {"rate too high", "rate too low"} & set(names(log_of(loss)))


def test_a_few_lines_say_little() -> None:
    assert names(log_of([2.0, 1.0, np.nan])) == ["rate too high", "too short"]
    assert "Of 7 finite losses nothing more" in diagnose(log_of(np.ones(7)))[0].text


@pytest.mark.parametrize("name", STRANGE)
def test_no_log_is_too_strange(name: str) -> None:
    found = diagnose(log_of(STRANGE[name], 0.1))
    assert all(isinstance(each, Finding) for each in found)
    assert found
    assert not any(word in each.text for each in found for word in ("nan", "inf"))


def test_a_file_is_read_and_diagnosed(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,nll\n" + "".join(f"{k},{2 + k}\n" for k in range(12)))
    columns = Columns(loss="nll")
    (found,) = diagnose(path, columns=columns)
    assert diagnose(str(path), columns=columns) == [found]
    assert found.name == "rate too high"
    with pytest.raises(ValueError, match="no column is a loss"):
        diagnose(path)


# False alarms


CURVES = {
    "exponential": lambda t: 2.2 * np.exp(-t / 0.2) + 0.1,
    "power": lambda t: 2.3 * (1 + 20 * t) ** -0.7,
    "slow power": lambda t: 2.3 * (1 + 200 * t) ** -0.3,
    "sigmoid": lambda t: 0.2 + 2.1 / (1 + np.exp((t - 0.3) / 0.08)),
}


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("lines", [10, 50, 1000])
def test_of_a_loss_that_falls_nobody_is_told_that_it_rises(curve: str, lines: int) -> None:
    """Noise of 2 and 10 %, independent or with half of it kept: 1 of 100 draws, seeds fixed."""
    rng = np.random.default_rng(0)
    t = np.arange(lines) / lines
    wrong = 0
    for draw in range(100):
        noise = rng.normal(size=lines)
        if draw % 2:
            for k in range(1, lines):
                noise[k] = 0.5 * noise[k - 1] + np.sqrt(0.75) * noise[k]
        loss = CURVES[curve](t) * (1 + (0.02, 0.1)[draw // 2 % 2] * noise)
        rates = np.where(t < 0.5, 0.1, 0.01)
        found = {each.name for each in diagnose(log_of(loss, rates))}
        wrong += bool(found & {"rate too high", "rate too low", "spikes", "noise floor"})
    assert wrong <= 1
