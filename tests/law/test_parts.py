"""The parts of a rate are factors of it, each of what it is named after."""

import math

import numpy as np
import pytest

import psi
from psi.law import Range, parse
from psi.law.clock import Clock, observe, start, tick
from psi.law.feedback import Feedback
from psi.law.parts import explained, parts_of

LAW = psi.Law(
    model=parse("0.01*parameters^(-0.5)*(1 - progress)*loss_ratio^0.5*exp(feedback)"),
    features=("parameters", "progress", "loss_ratio", "val_excess", "feedback"),
    domain=(
        Range(1.0, 1e9), Range(0.0, 0.95), Range(1e-3, 2.0), Range(0.0, 1.0), Range(-2.0, 2.0),
    ),
    rates=Range(1e-9, 1.0),
    optimizer="adam",
    initial_loss=2.0,
    feedback=Feedback(1.0, parse("-val_excess")),
)  # fmt: skip


def after(clock, losses, values):
    state = start(clock, np)
    for loss, value in zip(losses, values, strict=True):
        state = tick(clock, observe(state, np.float64(loss)), np, np.float64(value))
    return state


def test_each_factor_is_that_of_its_part():
    clock = Clock(LAW, 10, initial_loss=2.0, min_lr=0.0, facts=psi.Facts(parameters=100))
    state = after(clock, (1.0, 0.5), (1.0, 1.5))
    scale, shape, feedback, limits = parts_of(clock, state)
    assert scale == pytest.approx(0.01 * 100**-0.5)
    assert shape == pytest.approx((1 - 2 / 10) * math.sqrt(0.5 / 2.0))
    assert feedback == pytest.approx(1 / 1.5)
    assert limits == pytest.approx(1.0)


def test_a_ramp_and_a_limit_are_the_rest():
    ramp = Clock(LAW, 10, facts=psi.Facts(parameters=100), warmup=4)
    assert parts_of(ramp, after(ramp, (1.0,), (1.0,))).limits == pytest.approx(2 / 5)
    held = Clock(LAW, 10, facts=psi.Facts(parameters=100), max_lr=5e-4)
    assert parts_of(held, start(held, np)).limits == pytest.approx(0.5)


def test_after_a_loss_that_is_none_the_rate_before_stays():
    clock = Clock(LAW, 10, facts=psi.Facts(parameters=100))
    parts = parts_of(clock, after(clock, (1.0, math.nan), (1.0, math.nan)))
    assert np.prod(parts) == pytest.approx(0.001 * 0.9 * math.sqrt(0.5))
    assert parts.limits == pytest.approx(0.9 / 0.8)


def test_a_sentence_says_what_the_parts_are_due_to():
    clock = Clock(LAW, 10, facts=psi.Facts(parameters=100))
    said = explained(clock, after(clock, (1.0, 0.5), (1.0, 1.5)))
    assert said == (
        "rate 0.000267 = 0.001 (scale: of parameters) × 0.4 (shape: epoch 2 of 10) × 0.667 "
        "(feedback: u = -0.41, validation loss 50.0% above its best of 1 epoch ago)"
    )


def test_limits_and_what_is_not_known_are_said():
    clock = Clock(LAW, 10, max_lr=1e-6)
    said = explained(clock, start(clock, np))
    assert "of the law's typical facts" in said
    assert "(ramp, limits, or a rate that is held)" in said
    assert "nothing seen yet" in said
    said = explained(clock, after(clock, (1.0,), (math.nan,)))
    assert "(feedback: u = 0, no validation loss has come)" in said


def test_a_law_without_facts_or_memory_says_so():
    law = psi.Law(
        parse("0.1*(1 - progress)"), ("progress",), (Range(0.0, 0.9),), Range(1e-3, 1.0), "sgd", 1.0
    )
    said = explained(Clock(law, 5), start(Clock(law, 5), np))
    assert "one for all tasks" in said
    assert "this law has none" in said
