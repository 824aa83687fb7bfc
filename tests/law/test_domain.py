"""What of a run its law has not seen: budget, parameters, loss."""

import math

import numpy as np
import pytest

import psi
from psi.law.clock import Clock, ClockState, start
from psi.law.domain import known_epochs, outside_loss, outside_run
from psi.law.law import Law, Range
from psi.law.parsing import parse


def law_of(**domain: Range) -> Law:
    """A law of these features, which is their product."""
    return Law(
        model=parse("*".join(domain)), features=tuple(domain), domain=tuple(domain.values()),
        rates=Range(1e-4, 1.0), optimizer="sgd", initial_loss=2.0,
    )  # fmt: skip


def after(law: Law, initial: float, loss: float) -> ClockState:
    state = start(Clock(law, 10, initial_loss=initial), np)
    return state._replace(loss=np.asarray(loss))


@pytest.mark.parametrize("longest", [1, 2, 5, 7, 40, 365, 1000])
def test_the_longest_budget_is_read_from_the_domain(longest: int) -> None:
    """i/T ends at (T − 1)/T, i at T − 1."""
    assert known_epochs(law_of(progress=Range(0.0, (longest - 1) / longest))) == longest
    assert known_epochs(law_of(epoch=Range(0.0, longest - 1.0))) == longest
    assert known_epochs(law_of(loss=Range(0.1, 1.0))) == math.inf


def test_the_first_laws_have_seen_40_epochs_and_18_691_parameters() -> None:
    law = psi.load("adam@0.1.0")
    assert outside_run(law, {"budget": 40, "parameters": 18_691}) == ()
    assert outside_run(law, {"budget": math.nan, "parameters": 11}) == ()
    found = outside_run(law, {"budget": 100, "parameters": 1_100_000})
    assert [str(each) for each in found] == [
        "100 epochs (the law has seen up to 40: its last rates are held)",
        "1,100,000 parameters (the law has seen 11 to 18,691: taken as 18,691)",
    ]
    assert [each.what for each in found] == ["epochs", "parameters"]
    assert outside_run(law, {"budget": 20, "parameters": 3})[0].done == "taken as 11"


@pytest.mark.parametrize(
    ("loss", "initial", "said"),
    [
        (2.0, 2.0, ""),
        (5.9, 2.0, ""),  # a jump to less than 1.5 times the domain's end
        (6.1, 2.0, "a loss of 3.05 × the initial loss (the law has seen 0.01 to 2: taken as 2)"),
        (800.0, 2.0, "a loss of 400 × the initial loss (the law has seen 0.01 to 2: taken as 2)"),
        (1e-9, 2.0, ""),  # below: learnt
        (
            -0.5,
            1.0,
            "a loss of -0.5 × the initial loss (the law has seen 0.01 to 2: taken as 0.01)",
        ),
    ],
)
def test_a_loss_far_above_the_first_is_outside(loss: float, initial: float, said: str) -> None:
    law = law_of(loss_ratio=Range(0.01, 2.0))
    assert "".join(map(str, outside_loss(law, after(law, initial, loss)))) == said


def test_a_law_of_the_loss_itself_says_nats() -> None:
    law = law_of(loss=Range(0.01, 3.0))
    found = outside_loss(law, after(law, 2.0, 30.0))
    assert str(found[0]) == "a loss of 30 nats (the law has seen 0.01 to 3: taken as 3)"
    assert outside_loss(law_of(epoch=Range(0, 9)), after(law, 2.0, 30.0)) == ()
