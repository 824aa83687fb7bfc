"""A law's rates along a log: those of the clock, whatever the log counts."""

from dataclasses import replace

import numpy as np
import pytest

import psi
from psi.advice.log import Log
from psi.advice.replay import MOST_PERIODS, comparison, replay_log
from psi.law.facts import Facts
from psi.law.law import Law
from tests.advice.logs import log_of
from tests.schedulers.drivers import clock_rates


def test_rates_along_a_log_of_epochs_are_the_clock_s(formula: Law) -> None:
    losses = np.array([2.0, 1.0, np.nan, 0.5, 0.3])
    along = replay_log(log_of(losses), formula, initial_loss=2.5)
    np.testing.assert_allclose(
        along.law_rate, clock_rates(formula, losses, 5, initial_loss=2.5)[:-1]
    )
    assert along.epochs == 5
    longer = replay_log(log_of(losses), formula, epochs=9)
    np.testing.assert_allclose(longer.law_rate, clock_rates(formula, losses, 9)[:-1])


def test_of_very_many_epochs_several_are_a_period(formula: Law) -> None:
    losses = 2.0 * np.exp(-np.arange(MOST_PERIODS) / 500) + 0.1
    along = replay_log(log_of(np.repeat(losses, 3)), formula, initial_loss=2.5)
    alone = replay_log(log_of(losses), formula, initial_loss=2.5)
    np.testing.assert_allclose(along.law_rate, alone.law_rate, rtol=1e-12)
    assert (along.epochs, along.at.tolist()) == (3 * MOST_PERIODS, [*range(0, 3 * MOST_PERIODS, 3)])


def test_a_law_of_steps_is_told_those_of_the_log() -> None:
    facts_law = psi.load("momentum")
    losses = np.linspace(2.0, 1.0, 60)
    known = Facts(rows=100, batch=10)
    along = replay_log(log_of(losses), facts_law, facts=known)
    assert along.facts.steps_per_epoch == 10
    assert along.law_rate[0] == clock_rates(facts_law, losses, 60, facts=along.facts)[0]
    long = replay_log(log_of(np.ones(3 * MOST_PERIODS)), facts_law, facts=known)
    assert long.facts.steps_per_epoch == 30  # of three epochs
    at = np.arange(0.0, 600, 10)
    counted = Log("step", at, losses, at + 1, at, None)
    assert replay_log(counted, facts_law, steps_per_epoch=40).facts.steps_per_epoch == 40
    assert replay_log(counted, facts_law).facts.steps_per_epoch == round(591 / 50)
    assert replay_log(counted, facts_law, 200).facts.steps_per_epoch == round(591 / 50)
    with pytest.raises(ValueError, match="got 0"):
        replay_log(counted, facts_law, 0)
    assert replay_log(log_of(losses), facts_law).facts == Facts()


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
    along = replay_log(log, formula, steps_per_epoch=steps_per_epoch)
    means = losses.reshape(3, 2).mean(1)
    expected = clock_rates(formula, means, 3, initial_loss=4.0)[:-1]  # the first line is ε_0
    np.testing.assert_allclose(along.law_rate, expected)
    assert along.at.tolist() == [0, 2, 4]
    assert along.logged_rate.tolist() == [1, 3, 5]


def test_epochs_that_a_log_passes_over_have_the_loss_before_them(formula: Law) -> None:
    at = np.array([0.0, 10, 20])
    log = Log("epoch", at, np.array([2.0, 1.0, 0.5]), at, at, at)
    along = replay_log(log, formula, epochs=40, initial_loss=2.0)
    every = clock_rates(formula, np.repeat([2.0, 1.0], 10), 40, initial_loss=2.0)
    np.testing.assert_allclose(along.law_rate, every[[0, 10, 20]])
    assert replay_log(log, formula).epochs == 21


def test_a_log_that_begins_later_is_asked_from_there(formula: Law) -> None:
    at = np.arange(50.0, 60)
    along = replay_log(Log("epoch", at, np.ones(10), at, at, at), formula, initial_loss=2.0)
    expected = clock_rates(formula, np.repeat([2.0, 1.0], [50, 10]), 60, initial_loss=2.0)
    np.testing.assert_allclose(along.law_rate, expected[50:60])


def test_a_log_of_steps_alone_is_cut_into_fifty(formula: Law) -> None:
    at = np.arange(1000.0)
    along = replay_log(Log("step", at, np.ones(1000), at, at, None), formula)
    assert along.epochs == len(along.law_rate) == 50
    assert along.at[:3].tolist() == [0, 20, 40]


def test_a_law_with_a_scale_is_multiplied_by_the_one_given(formula: Law) -> None:
    scaled = replace(formula, scale=0.5)
    once, thrice = (
        replay_log(log_of(np.ones(5)), scaled, scale=scale).law_rate for scale in (1.0, 3.0)
    )
    np.testing.assert_allclose(thrice, 3 * once)
    with pytest.raises(ValueError, match=r"scale must be None, got 2\.0"):
        replay_log(log_of(np.ones(5)), formula, scale=2.0)


def test_rates_are_compared_in_words(formula: Law) -> None:
    losses = np.full(4, 2.0)  # Ψ: 0.2 (1 − i/4)
    along = replay_log(log_of(losses, [0.4, 0.15, 0.01, 0.0]), formula)
    assert comparison(along) == (
        "0.2 at the beginning, 0.05 at the end; yours are as high (median; between 10 times lower "
        "and 2 times higher)"
    )
    assert (
        comparison(replay_log(log_of(losses), formula)) == "0.2 at the beginning, 0.05 at the end"
    )


def test_a_replay_of_what_makes_no_sense_is_refused(formula: Law) -> None:
    with pytest.raises(ValueError, match="those of the log, 5, or more, got 3"):
        replay_log(log_of(np.ones(5)), formula, epochs=3)
    with pytest.raises(ValueError, match="this log says its epochs: no steps_per_epoch, got 5"):
        replay_log(log_of(np.ones(5)), formula, steps_per_epoch=5)
    with pytest.raises(ValueError, match="steps_per_epoch must be a whole number >= 1, got 0"):
        replay_log(log_of(np.ones(5)), formula, steps_per_epoch=0)
    with pytest.raises(ValueError, match="epochs must be a whole number >= 1, got 0"):
        replay_log(log_of(np.ones(5)), formula, epochs=0)
