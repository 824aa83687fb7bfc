"""Facts: what adapters count, and the same rates from the same facts."""

import json
import math
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import psi
from psi.law.clock import ClockState
from psi.law.law import Law
from psi.schedulers.optax import outside, scale_by_psi
from tests.schedulers.drivers import DRIVERS, LIMITS, clock_rates
from tests.schedulers.streams import EPOCHS, STREAMS, single

os.environ.setdefault("KERAS_BACKEND", "torch")
ROWS, INPUTS, CLASSES = 100, 4, 3
rng = np.random.default_rng(0)
WEIGHTS = (rng.normal(size=(INPUTS, CLASSES)).astype(np.float32), np.ones(CLASSES, np.float32))
P = INPUTS * CLASSES + CLASSES
RMS = math.sqrt(sum(float((w**2).sum()) for w in WEIGHTS) / P)
X = np.zeros((ROWS, INPUTS), np.float32)
Y = np.arange(ROWS) % CLASSES
ALL = psi.Facts(1_000, 32, 30, 10, 2.0, 0.1, parameters=4)
"""Facts of another training than that of the drivers, whose P is 1 or 3."""


@pytest.mark.filterwarnings("ignore:psi")  # of P and of facts that are missing
@pytest.mark.parametrize("driver", DRIVERS)
def test_kind_the_same_facts_give_the_same_rates(driver: str, facts_law: Law) -> None:
    """All of them, of a stream, and with some of them missing; a stream is no fixed rows."""
    losses, (rates, near) = single(STREAMS["smooth"]), DRIVERS[driver]
    few = replace(ALL, batch=None, classes=None, chance_loss=None)
    wanted = []
    for facts in (ALL, replace(ALL, rows=None, stream=True), few):
        wanted.append(clock_rates(facts_law, losses, EPOCHS, facts=facts, **LIMITS))
        got = rates(facts_law, losses, EPOCHS, facts=facts, **LIMITS)
        np.testing.assert_allclose(got, wanted[-1], rtol=near, atol=0)
    assert min(len(set(each)) for each in wanted) > 3
    fixed, stream, _ = (each[EPOCHS // 2] for each in wanted)
    assert stream / fixed == pytest.approx(2**0.5 / 1_000**0.1)


# What each adapter counts


def torch_model() -> Any:
    torch = pytest.importorskip("torch")
    model = torch.nn.Linear(INPUTS, CLASSES)
    with torch.no_grad():
        model.weight.copy_(torch.tensor(WEIGHTS[0].T))
        model.bias.copy_(torch.tensor(WEIGHTS[1]))
    return model


def keras_model() -> Any:
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.layers.Input((INPUTS,)), keras.layers.Dense(CLASSES)])
    model.set_weights(WEIGHTS)
    model.compile(
        optimizer=keras.optimizers.SGD(1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def torch_clock(law: Law, facts: psi.Facts) -> dict[str, float]:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD(torch_model().parameters(), lr=1.0)
    scheduler = psi.PsiLR(optimizer, law, 5, steps_per_epoch=4, facts=facts)
    return scheduler.state_dict()["clock"]


def keras_clock(law: Law, facts: psi.Facts) -> dict[str, float]:
    model, schedule = keras_model(), psi.PsiSchedule(law, facts=facts)
    model.fit(X, Y, batch_size=25, epochs=5, verbose=0, callbacks=[schedule])
    return schedule.state_dict()


def optax_clock(law: Law, facts: psi.Facts) -> dict[str, float]:
    tx: Any = scale_by_psi(law, 4, 5, facts=facts)
    known = tx.init(WEIGHTS)._asdict().items()
    return {name: float(value) for name, value in known if name != "memory"}


def told(call: Callable[[], Any]) -> list[str]:
    """What Ψ warns of; a framework's own warnings are not looked at."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    lines = (str(each.message) for each in caught)
    return [line.removeprefix("psi: ") for line in lines if line.startswith("psi: ")]


CLOCKS = {"torch": torch_clock, "keras": keras_clock, "optax": optax_clock}
KNOWN = psi.Facts(rows=ROWS, batch=25, classes=CLASSES, initial_grad_norm=1.0)
"""Keras shows no gradient."""


@pytest.mark.parametrize("framework", CLOCKS)
def test_p_weights_steps_and_budget_are_counted(framework: str, facts_law: Law) -> None:
    law = replace(facts_law, domain=tuple(replace_p(facts_law)))
    got = CLOCKS[framework](law, KNOWN)
    wanted = {"parameters": P, "weight_rms": RMS, "steps": 4, "budget": 5, "rows": ROWS}
    wanted |= {"batch": 25, "classes": CLASSES, "chance_loss": math.log(CLASSES), "stream": 0}
    assert {name: got[name] for name in wanted} == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("framework", CLOCKS)
def test_what_is_given_wins(framework: str, facts_law: Law) -> None:
    given = replace(KNOWN, steps_per_epoch=7, weight_rms=0.5, parameters=P + 2)
    got = CLOCKS[framework](replace(facts_law, domain=tuple(replace_p(facts_law))), given)
    assert [got[name] for name in ("steps", "weight_rms", "parameters")] == [7, 0.5, P + 2]


@pytest.mark.parametrize("framework", CLOCKS)
def test_the_weights_are_looked_at_for_a_law_that_sees_them(framework: str, formula: Law) -> None:
    got = CLOCKS[framework](formula, psi.Facts())
    assert math.isnan(got.get("weight_rms", math.nan))
    assert got["parameters"] == P


@pytest.mark.parametrize("framework", CLOCKS)
def test_another_p_than_the_optimizer_s_is_said(framework: str, formula: Law) -> None:
    said = told(lambda: CLOCKS[framework](formula, psi.Facts(parameters=1_000_000)))
    assert said == [f"the facts have parameters=1,000,000, the optimizer {P}: the facts' is used"]


@pytest.mark.parametrize("framework", CLOCKS)
def test_what_is_missing_is_said_once_and_strict_raises(framework: str, facts_law: Law) -> None:
    law = replace(facts_law, domain=tuple(replace_p(facts_law)))
    said = told(lambda: CLOCKS[framework](law, replace(KNOWN, batch=None)))
    assert said == [
        "outside of what this law has seen: batch not known (psi.Facts(batch=…) says it: "
        "taken as 45) (said once)"
    ]


def test_strict_raises_where_a_fact_is_missing(facts_law: Law) -> None:
    with pytest.raises(ValueError, match="rows not known"):
        scale_by_psi(facts_law, 4, 5, strict=True).init(WEIGHTS)
    with pytest.raises(ValueError, match=r"facts must be psi.Facts\(…\), got {'rows': 3}"):
        scale_by_psi(facts_law, 4, 5, facts={"rows": 3})  # type: ignore


def replace_p(law: Law) -> list[Any]:
    """Its domain with P from 10 on, so that the small networks here are within it."""
    ends = dict(zip(law.features, law.domain, strict=True))
    return [each._replace(low=10) if name == "parameters" else each for name, each in ends.items()]


# Resumed runs


def test_a_resumed_run_keeps_its_facts_and_takes_what_it_lacked(facts_law: Law) -> None:
    torch = pytest.importorskip("torch")

    def scheduler(facts: psi.Facts) -> Any:
        optimizer = torch.optim.SGD(torch_model().parameters(), lr=1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return psi.PsiLR(optimizer, facts_law, 5, steps_per_epoch=4, facts=facts)

    one = scheduler(KNOWN)
    saved = json.loads(json.dumps(one.state_dict()))
    other = scheduler(psi.Facts(rows=9, weight_rms=0.9))
    other.load_state_dict(saved)
    for each in (one, other):
        each.observe(1.5)
        each.step()
    assert other.state_dict() == one.state_dict()
    for name in ("rows", "batch", "steps", "stream", "chance_loss", "classes", "weight_rms"):
        del saved["clock"][name]  # a state of before there were facts
    other = scheduler(KNOWN)
    other.load_state_dict(saved)
    other.observe(1.5)
    other.step()
    assert other.state_dict() == one.state_dict()


def test_keras_goes_on_with_its_facts(facts_law: Law) -> None:
    law = replace(facts_law, domain=tuple(replace_p(facts_law)))
    model = keras_model()
    half, again = (psi.PsiSchedule(law, 4, facts=each) for each in (KNOWN, psi.Facts()))
    model.fit(X, Y, epochs=2, batch_size=25, verbose=0, callbacks=[half])
    again.load_state_dict(half.state_dict())
    more = {"initial_epoch": 2, "epochs": 4, "batch_size": 25, "verbose": 0, "shuffle": False}
    for schedule in (half, again):
        keras_model().fit(X, Y, callbacks=[schedule], **more)
    assert again.state_dict() == half.state_dict()


# Keras: T of fit


def test_keras_takes_t_from_fit_and_goes_on_to_more(formula: Law) -> None:
    model = keras_model()
    schedule = psi.PsiSchedule(formula, initial_loss=2.0)
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[schedule])
    assert schedule.state_dict()["budget"] == 3
    model.fit(X, Y, initial_epoch=3, epochs=6, verbose=0, callbacks=[schedule])
    state = schedule.state_dict()
    assert (state["epoch"], state["budget"]) == (6, 6)
    every = psi.PsiSchedule(formula, initial_loss=2.0, every=2)
    model.fit(X, Y, epochs=3, batch_size=20, verbose=0, callbacks=[every])
    state = every.state_dict()  # 15 minibatches
    assert (state["budget"], state["steps"]) == (8, 2)
    alone = psi.PsiSchedule(formula)
    alone.set_model(model)
    with pytest.raises(ValueError, match="this law sees i/T: epochs must be given"):
        alone.on_train_begin()


# optax


def test_optax_counts_under_jit_vmap_and_inject_hyperparams(facts_law: Law) -> None:
    law = replace(facts_law, domain=tuple(replace_p(facts_law)))
    tx: Any = scale_by_psi(law, 4, 5, facts=KNOWN)
    plain = tx.init(WEIGHTS)
    several = jax.tree.map(lambda w: jnp.stack([w, 2 * w]), WEIGHTS)
    for state in (
        jax.jit(tx.init)(WEIGHTS),
        jax.tree.map(lambda a: a[0], jax.vmap(tx.init)(several)),
    ):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), state, plain)
    ratio = jax.vmap(tx.init)(several).learning_rate
    assert float(ratio[1] / ratio[0]) == pytest.approx(2**0.6)
    injected = optax.inject_hyperparams(
        scale_by_psi, static_args=("law", "steps_per_epoch", "epochs", "warmup")
    )(law=law, steps_per_epoch=4, epochs=5, facts=KNOWN)
    inner: Any = injected.init(WEIGHTS)
    assert float(optax.tree.get(inner, "rows")) == ROWS


@pytest.mark.filterwarnings("ignore:psi")
def test_optax_says_what_is_outside_afterwards(facts_law: Law) -> None:
    tx = scale_by_psi(facts_law, 4, 5, facts=replace(KNOWN, batch=None))
    state: ClockState = jax.jit(tx.init)(jax.tree.map(jnp.zeros_like, WEIGHTS))  # pyright: ignore
    found = {each.what: each.done for each in outside(facts_law, state)}
    assert found == {
        "parameters": "the power law goes on",
        "batch": "taken as 45",
        "weight_rms": "taken as 0.1",
    }
