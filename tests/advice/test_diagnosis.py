"""Diagnoses of trainings whose trouble is planted: SGD on a noisy quadratic, where all is known.

x ← x − α (x + ξ), 64 coordinates, curvature 1: α > 2 diverges, a constant α ends at the noise
floor 32 α σ²/(2 − α), and a loss x²/2 falls by (1 − α)² a step before it.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from psi.advice.diagnosis import Finding, diagnose
from psi.advice.log import Log
from psi.advice.replay import compared, replay
from psi.advice.trend import trend
from psi.law.law import Law
from tests.schedulers.drivers import clock_rates

SIZE, STEPS = 64, 20


def log_of(losses: object, rates: object = np.nan, ratio: float = np.nan) -> Log:
    loss = np.asarray(losses, float)
    rate = np.broadcast_to(np.asarray(rates, float), loss.shape)
    at = np.arange(len(loss), dtype=float)
    return Log("epoch", at, loss, rate, np.full(len(loss), ratio), at)


def trained(rates: np.ndarray, seed: int = 0, noise: float = 0.05) -> Log:
    """One rate an epoch of STEPS steps; the epoch's mean loss."""
    rng = np.random.default_rng(seed)
    x, losses = rng.normal(size=SIZE), []
    with np.errstate(all="ignore"):
        for rate in rates:
            each = []
            for _ in range(STEPS):
                each.append(0.5 * x @ x)
                x = x - rate * (x + noise * rng.normal(size=SIZE))
            losses.append(np.mean(each))
    return log_of(losses, rates)


def names(log: Log, initial_loss: float | None = None) -> list[str]:
    return [each.name for each in diagnose(log, initial_loss)]


def floor(rate: float, noise: float) -> float:
    return 0.5 * SIZE * rate * noise**2 / (2 - rate)


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


def test_a_good_training_is_healthy() -> None:
    rates = 0.03 * (1 - np.arange(40) / 40)
    for seed in range(5):
        assert names(trained(rates, seed)) == ["healthy"]


def test_one_that_is_not_done() -> None:
    assert names(trained(np.full(30, 0.0015))) == ["still falling"]
    slow = diagnose(trained(np.full(30, 0.0003)))
    assert slow[0].name == "rate too low"
    assert "as fast at the end as at the beginning" in slow[0].text


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


def test_what_rises_beyond_twice_the_first_is_told_as_it_was_logged() -> None:
    found = diagnose(log_of([2.3, 2.0, 1.8, 1.7, 1.6, 1.7, 2, 4, 10, 1e2, 1e3, 1e4, 1e5, 1e6]))[0]
    assert "at epoch 4 to 1e+06 at epoch 13" in found.text.replace("epoch 3", "epoch 4")


def test_one_jump_in_a_flat_loss_is_no_ruin() -> None:
    loss = 2.3 + 0.01 * np.random.default_rng(0).normal(size=60)
    loss[30] = 5.0
    assert names(log_of(loss)) == ["spikes", "rate too low"]


def test_a_first_line_of_zero_is_no_loss_to_compare_with() -> None:
    loss = [0.0, *np.geomspace(2.2, 0.2, 39)]
    assert not {"rate too high", "rate too low"} & set(names(log_of(loss)))


def test_a_loss_below_zero_has_plateaus_too() -> None:
    t = np.arange(100)
    noise = 0.3 * np.random.default_rng(0).normal(size=100)
    assert names(log_of(1 - 10 * (1 - np.exp(-t / 5)) + noise, 0.1)) == ["noise floor"]


def test_above_the_loss_before_training() -> None:
    loss = [9.0, 4.0, 2.2, *np.geomspace(2, 0.1, 17)]
    assert names(log_of(loss)) == ["healthy"]
    found = diagnose(log_of(loss, 0.5), initial_loss=np.log(10))
    assert "more than 1.3 times 2.3, what it is before training, in 2 lines" in found[0].text
    assert "up to 9: the initialisation is bad, or updates did harm" in found[0].text
    later = diagnose(log_of([2.2, np.inf, *loss[2:]]), initial_loss=np.log(10))[1]
    assert "in 1 lines, first at epoch 1: updates did harm" in later.text
    with pytest.raises(ValueError, match="initial_loss must be positive and finite, got 0"):
        diagnose(log_of(loss), 0.0)


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (5e-2, "far above it: the rate is rather too high"),
        (5e-3, "is above it"),
        (1e-3, "near it"),
        (2e-5, "far below it: the rate is rather too low"),
    ],
)
def test_updates_beside_weights(ratio: float, said: str) -> None:
    found = diagnose(log_of(np.geomspace(2, 0.1, 20), 0.1, ratio))[-1]
    assert found.name == "update-to-weight ratio"
    assert found.text.endswith(f"{said}.")


def test_a_few_lines_say_little() -> None:
    assert names(log_of([2.0, 1.0, np.nan])) == ["rate too high", "too short"]
    assert "Of 7 finite losses nothing more" in diagnose(log_of(np.ones(7)))[0].text


@pytest.mark.parametrize(
    "losses",
    [
        np.zeros(20), np.full(20, -3.0), -np.arange(20.0), np.full(9, 1e300),
        np.geomspace(1e300, 1, 50), np.tile([1.0, np.inf, -np.inf, np.nan], 9), np.full(30, np.nan),
        [1e-300] * 12,
    ],
)  # fmt: skip
def test_no_log_is_too_strange(losses: object, tmp_path: Path, formula: Law) -> None:
    from psi.report.diagnosis import diagnosis_figure

    log = log_of(losses, 0.1)
    found = diagnose(log)
    assert all(isinstance(each, Finding) for each in found)
    assert found
    assert not any(word in each.text for each in found for word in ("nan", "inf"))
    along = replay(log, formula)
    diagnosis_figure(log, trend(log), found, along, "formula", tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000


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


# Ψ along a log


def test_rates_along_a_log_of_epochs_are_the_clock_s(formula: Law) -> None:
    losses = np.array([2.0, 1.0, np.nan, 0.5, 0.3])
    along = replay(log_of(losses), formula, initial_loss=2.5)
    np.testing.assert_allclose(along.psi, clock_rates(formula, losses, 5, initial_loss=2.5)[:-1])
    assert along.epochs == 5
    longer = replay(log_of(losses), formula, epochs=9)
    np.testing.assert_allclose(longer.psi, clock_rates(formula, losses, 9)[:-1])


@pytest.mark.parametrize(
    ("epoch", "steps_per_epoch"),
    [
        ([0, 0, 1, 1, 2, 2], None),
        ([1, 1, 2, 2, 3, 3], None),
        (None, 2),
        ([0.5, 1.0, 1.5, 2.0, 2.5, 3.0], None),
        ([0.0, 0.5, 1.0, 1.5, 2.0, 2.5], None),
    ],
)
def test_an_epoch_of_several_lines_has_their_mean(
    formula: Law, epoch: object, steps_per_epoch: int | None
) -> None:
    losses = np.array([4.0, 2.0, 2.0, 1.0, 1.0, 0.5])
    at = np.arange(6.0)
    log = Log("step", at, losses, at + 1, at, None if epoch is None else np.array(epoch, float))
    along = replay(log, formula, steps_per_epoch=steps_per_epoch)
    means = losses.reshape(3, 2).mean(1)
    expected = clock_rates(formula, means, 3, initial_loss=4.0)[:-1]  # the first line is ε_0
    np.testing.assert_allclose(along.psi, expected)
    assert along.at.tolist() == [0, 2, 4]
    assert along.yours.tolist() == [1, 3, 5]


def test_epochs_that_a_log_passes_over_have_the_loss_before_them(formula: Law) -> None:
    at = np.array([0.0, 10, 20])
    log = Log("epoch", at, np.array([2.0, 1.0, 0.5]), at, at, at)
    along = replay(log, formula, epochs=40, initial_loss=2.0)
    every = clock_rates(formula, np.repeat([2.0, 1.0], 10), 40, initial_loss=2.0)
    np.testing.assert_allclose(along.psi, every[[0, 10, 20]])
    assert replay(log, formula).epochs == 21


def test_a_log_that_begins_later_is_asked_from_there(formula: Law) -> None:
    at = np.arange(50.0, 60)
    along = replay(Log("epoch", at, np.ones(10), at, at, at), formula, initial_loss=2.0)
    expected = clock_rates(formula, np.repeat([2.0, 1.0], [50, 10]), 60, initial_loss=2.0)
    np.testing.assert_allclose(along.psi, expected[50:60])


def test_a_log_of_steps_alone_is_cut_into_fifty(formula: Law) -> None:
    at = np.arange(1000.0)
    along = replay(Log("step", at, np.ones(1000), at, at, None), formula)
    assert along.epochs == len(along.psi) == 50
    assert along.at[:3].tolist() == [0, 20, 40]


def test_a_law_with_a_scale_is_multiplied_by_the_one_given(formula: Law) -> None:
    scaled = replace(formula, scale=0.5)
    once, thrice = (replay(log_of(np.ones(5)), scaled, scale=scale).psi for scale in (1.0, 3.0))
    np.testing.assert_allclose(thrice, 3 * once)
    with pytest.raises(ValueError, match=r"scale must be None, got 2\.0"):
        replay(log_of(np.ones(5)), formula, scale=2.0)


def test_rates_are_compared_in_words(formula: Law) -> None:
    losses = np.full(4, 2.0)  # Ψ: 0.2 (1 − i/4)
    along = replay(log_of(losses, [0.4, 0.15, 0.01, 0.0]), formula)
    assert compared(along) == (
        "0.2 at the beginning, 0.05 at the end; yours are as high (median; between 10 times lower "
        "and 2 times higher)"
    )
    assert compared(replay(log_of(losses), formula)) == "0.2 at the beginning, 0.05 at the end"


def test_a_replay_of_what_makes_no_sense_is_refused(formula: Law) -> None:
    with pytest.raises(ValueError, match="those of the log, 5, or more, got 3"):
        replay(log_of(np.ones(5)), formula, epochs=3)
    with pytest.raises(ValueError, match="this log says its epochs: no steps_per_epoch, got 5"):
        replay(log_of(np.ones(5)), formula, steps_per_epoch=5)
    with pytest.raises(ValueError, match="steps_per_epoch must be a whole number >= 1, got 0"):
        replay(log_of(np.ones(5)), formula, steps_per_epoch=0)
    with pytest.raises(ValueError, match="epochs must be a whole number >= 1, got 0"):
        replay(log_of(np.ones(5)), formula, epochs=0)
