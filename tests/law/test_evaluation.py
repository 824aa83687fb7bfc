"""Ψ as it is used: facts that are missing, features that are held, power laws that go on."""

import math
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import psi
from psi.law.clock import Clock, observe, rates_over, start, tick
from psi.law.domain import outside_run
from psi.law.evaluation import psi_of, stand_in
from psi.law.facts import UNKNOWN
from psi.law.features import FACTS, Observation
from psi.law.law import Law, Range
from psi.law.parsing import parse

SEEN = Observation(0, 20, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 1_000.0, stream=0.0)


def power(
    text: str = "parameters^(-0.5)*(1 - progress)", rates: tuple[float, float] = (1e-3, 1.0),
    extrapolates: tuple[str, ...] = ("parameters",), **domain: tuple[float, float],
) -> Law:  # fmt: skip
    domain = {"progress": (0.0, 0.95), "parameters": (100.0, 10_000.0)} | domain
    return Law(
        model=parse(text), features=tuple(domain), domain=tuple(Range(*d) for d in domain.values()),
        rates=Range(*rates), optimizer="adam", initial_loss=2.0, extrapolates=extrapolates,
    )  # fmt: skip


def rate(law: Law, xp: ModuleType = np, **change: Any) -> float:
    with np.errstate(all="ignore"):  # as in `decide`
        return float(psi_of(law, SEEN._replace(**change), xp))


@pytest.mark.parametrize("parameters", [100.0, 777.0, 10_000.0])
def test_within_the_domain_a_power_law_that_goes_on_is_the_same(
    parameters: float, xp: ModuleType
) -> None:
    law = power()
    held = replace(law, extrapolates=())
    for epoch in (0, 7, 19):
        change = {"parameters": parameters, "epoch": epoch}
        assert rate(law, xp, **change) == rate(held, xp, **change)


@pytest.mark.parametrize("parameters", [1.0, 25.0, 1.1e6, 1e12])
def test_beyond_it_the_power_law_goes_on_whatever_the_law_s_rates(
    parameters: float, xp: ModuleType
) -> None:
    law = power(rates=(0.01, 0.1))
    assert rate(law, xp, parameters=parameters) == pytest.approx(parameters**-0.5)
    held = replace(law, extrapolates=())
    assert rate(held, xp, parameters=parameters) == (0.1 if parameters < 100 else 0.01)
    # The user's limits still hold.
    clock = Clock(law, 20, max_lr=0.05, facts=psi.Facts(parameters=int(parameters)))
    assert float(start(clock, xp).learning_rate) == pytest.approx(
        np.clip(parameters**-0.5, 1e-6, 0.05)
    )


def test_the_rates_of_the_law_hold_what_the_domain_has(xp: ModuleType) -> None:
    """Clipped at the nearest P within: 0.05 there, a tenth of it at a hundred times that P."""
    law = power(rates=(0.05, 1.0))
    assert rate(law, xp, parameters=1e4) == 0.05
    assert rate(law, xp, parameters=1e6) == pytest.approx(0.005)


def test_other_features_are_held_beside_it(xp: ModuleType) -> None:
    law = power(rates=(1e-6, 1.0))
    assert rate(law, xp, epoch=20, parameters=1e6) == pytest.approx(1e-3 * 0.05)
    law = power("parameters^(-0.5)*(1 - progress)*batch^0.5", (1e-6, 1.0), batch=(8.0, 32.0))
    assert rate(law, xp, batch=128.0, parameters=1e6) == pytest.approx(1e-3 * 32**0.5)


def test_a_law_that_is_zero_or_overflows_gives_a_rate_all_the_same(xp: ModuleType) -> None:
    law = power(progress=(0.0, 1.0))
    assert rate(law, xp, epoch=20, parameters=1e6) == 1e-3  # Ψ = 0: the law's lowest
    huge = power("exp(parameters/10000)", rates=(1.0, 3.0))
    clock = Clock(huge, 20, facts=psi.Facts(parameters=10**9))
    state = start(clock, xp)
    assert float(state.learning_rate) == 1.0  # not finite: the last one, here the law's lowest
    assert float(tick(clock, observe(state, xp.asarray(1.0)), xp).learning_rate) == 1.0


@pytest.mark.parametrize("value", [math.nan, 0.0, -1.0])
@pytest.mark.parametrize("extrapolates", [(), ("batch",)])
def test_a_missing_fact_is_the_typical_one_or_the_geometric_middle(
    value: float, extrapolates: tuple[str, ...], xp: ModuleType
) -> None:
    law = power("batch*(1 - progress)", (1e-3, 1e9), extrapolates, batch=(8.0, 128.0))
    assert stand_in(law, "batch") == pytest.approx(32.0)
    assert rate(law, xp, batch=value) == pytest.approx(32.0)
    told = replace(law, typical=(700.0, 20.0))
    assert stand_in(told, "batch") == 20.0
    assert rate(told, xp, batch=value) == pytest.approx(20.0)


def test_a_stream_is_a_stream_and_nothing_is_none(xp: ModuleType) -> None:
    law = power("1 + stream", (1e-3, 9.0), (), stream=(0.0, 1.0))
    assert [rate(law, xp, stream=each) for each in (0.0, 1.0, math.nan)] == [1.0, 2.0, 1.0]


@pytest.mark.parametrize("fact", [f for f in FACTS if f not in ("parameters", "stream")])
def test_every_fact_reaches_the_law_by_every_way(fact: str, xp: ModuleType) -> None:
    law = power(f"{fact}^0.5*(1 - progress)", (1e-9, 1e9), (fact,), **{fact: (2.0, 8.0)})
    field = {"steps": "steps_per_epoch"}.get(fact, fact)
    given: dict[str, Any] = {} if fact == "budget" else {"facts": replace(UNKNOWN, **{field: 20})}
    clock = Clock(law, 20, **given)
    assert float(start(clock, xp).learning_rate) == pytest.approx(20**0.5)
    assert rates_over(clock, np.ones(2), np.zeros(2)) == pytest.approx([20**0.5] * 2)
    assert rate(law, xp, **{fact: 20.0}) == pytest.approx(20**0.5)


def test_a_run_is_told_what_goes_on_what_is_held_and_what_is_missing() -> None:
    text = "parameters^(-0.5)*batch*steps*stream*budget"
    domain = {"batch": (8, 32), "steps": (4, 400), "stream": (0, 0), "budget": (5, 100)}
    law = power(text, extrapolates=("parameters", "budget"), **domain)  # type: ignore
    facts = psi.Facts(parameters=1_100_000, batch=256, stream=True)
    found = outside_run(law, {"budget": 400.0, **facts.values()})
    assert [str(each) for each in found] == [
        "1,100,000 parameters (the law has seen 100 to 10,000: the power law goes on)",
        "256 rows a batch (the law has seen 8 to 32: taken as 32)",
        "steps not known (psi.Facts(steps_per_epoch=…) says it: taken as 40)",
        "a stream (the law has seen fixed rows alone: taken as fixed rows)",
        "400 epochs (the law has seen 5 to 100: the power law goes on)",
    ]
    assert outside_run(law, {"budget": 20.0}) == ()  # what is absent is not looked at
    zeros = power("weight_rms", weight_rms=(0.1, 0.4))
    (weights,) = outside_run(zeros, {"budget": 20.0, "weight_rms": 0.0})
    known = "psi.Facts(weight_rms=…) says it: taken as 0.2"
    assert str(weights) == f"weight_rms of 0 ({known})"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"target": "test"}, "target must be train or validation, got 'test'"),
        ({"extrapolates": ("progress",)}, "extrapolates must be distinct facts"),
        ({"extrapolates": ("batch",)}, r"of \('parameters',\); got \('batch',\)"),
        ({"extrapolates": ("parameters", "parameters")}, "extrapolates must be distinct facts"),
        ({"typical": (99.0,)}, r"within the domain for each of \('parameters',\), or \(\); got"),
        ({"typical": (1e4, 1.0)}, "typical must be a number within the domain"),
        ({"domain": (Range(0, 1), Range(0.0, 9.0))}, "parameters must begin at 1 or more, got 0"),
    ],
)
def test_what_makes_no_law_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        replace(power(), **change)
    with pytest.raises(ValueError, match="domain of the fact batch must begin above 0, got 0"):
        power(batch=(0.0, 9.0))
