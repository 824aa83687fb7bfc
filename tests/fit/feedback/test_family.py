"""A family's laws, its policies and its text are one thing."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import psi
from psi.fit.feedback.family import CAPS, INPUTS, OF_TRAINING, OF_VALIDATION, WITHOUT_BUDGET, Family
from psi.lab.engine.policy import Policy, law_policy
from psi.law.features import Observation
from psi.law.law import Range
from psi.law.parsing import parse
from tests.fit.feedback.conftest import free_of

EPOCHS = 12
ALL = tuple(INPUTS)


def some_constants(family: Family, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return family.within(family.start + family.spreads * rng.normal(size=len(family.start)))


def rates(
    policy: Policy,
    facts: dict,
    losses: np.ndarray,
    values: np.ndarray,
    budget: int = EPOCHS,
    norms: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> np.ndarray:
    """α_0 … of a run that sees these losses, whatever they are due to."""
    first = jnp.asarray(losses[0])
    seen = Observation(
        epoch=jnp.asarray(0), budget=jnp.asarray(budget), loss=first, initial_loss=first,
        best_loss=first, grad_norm=0.0, update_norm=0.0, weight_norm=0.0, **facts,
    )  # fmt: skip

    @jax.jit
    def run(losses, values, norms):
        def epoch(state, now):
            at, loss, value, more = now
            return policy.step(state, seen._replace(epoch=at, loss=loss, val_loss=value, **more))

        every = (jnp.arange(EPOCHS), losses, values, norms)
        return jax.lax.scan(epoch, policy.init(seen), every)[1]

    every = {name: jnp.asarray(each) for name, each in norms.items()}
    return np.asarray(run(jnp.asarray(losses), jnp.asarray(values), every))


def facts(stream: float) -> dict:
    return {
        "parameters": 5000.0, "batch": 32.0, "steps": 20.0, "rows": 640.0, "chance_loss": 1.5,
        "classes": 10.0, "weight_rms": 0.1, "initial_grad_norm": 1.0, "stream": stream,
    }  # fmt: skip


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("inputs", [(), OF_VALIDATION, OF_TRAINING, ALL], ids=len)
@pytest.mark.parametrize("stream", [0.0, 1.0])
def test_a_lane_s_policy_is_that_of_its_law(optimizer: str, inputs, stream: float) -> None:
    family = Family(psi.load(optimizer), inputs)
    rng = np.random.default_rng(1)
    losses, values = np.exp(rng.normal(0.0, 0.1, size=(2, EPOCHS)) - 0.1 * np.arange(EPOCHS))
    values[5], losses[7] = np.nan, np.nan
    constants = some_constants(family)
    searched = rates(family.policy()(jnp.asarray(constants)), facts(stream), losses, values)
    law = law_policy(family.law(constants), EPOCHS)
    kept = rates(law, facts(stream), losses, values)
    assert searched == pytest.approx(kept, rel=2e-4)


def test_a_law_without_t_is_the_same_as_policy_and_as_text() -> None:
    family = Family(free_of(psi.load("adam")), WITHOUT_BUDGET)
    assert family.shape == ("level", "decay")
    assert family.constants[-1] == "leak"
    losses, values = np.exp(np.random.default_rng(2).normal(0.0, 0.1, size=(2, EPOCHS)))
    constants = some_constants(family, 3)
    law = family.law(constants)
    assert not {"budget", "progress"} & {*law.features}
    for policy in (family.policy()(jnp.asarray(constants)), law_policy(law, EPOCHS)):
        kept = rates(policy, facts(0.0), losses, values)
        assert kept == pytest.approx(
            rates(law_policy(law, 99), facts(0.0), losses, values), rel=2e-4
        )
    named = dict(zip(family.constants, constants, strict=True))
    none = rates(law_policy(law, EPOCHS), facts(0.0), losses, np.full(EPOCHS, np.nan))
    wanted = (1 + np.arange(EPOCHS) / 20) ** -named["decay"]
    assert none / none[0] == pytest.approx(wanted, rel=1e-5)


def test_a_law_has_the_facts_constants_where_they_are_its_own() -> None:
    base = psi.load("adam")
    family = Family(base, ("v_above",))
    moved = family.start.copy()
    moved[family.constants.index("v_above")] = -0.5
    law = family.law(moved)
    assert law.constants == base.constants
    assert "(1 - progress)*exp(feedback)" in str(law)
    assert law.feedback is not None
    moved[family.constants.index("level")] = 0.1
    assert family.law(moved).constants == ()


def test_a_level_and_shape_alone_are_not_clipped() -> None:
    family = Family(replace(free_of(psi.load("adam")), rates=Range(1e-3, 1.0)), ())
    constants = np.array([-3.0, 1.0])
    losses = np.linspace(2.0, 1.0, EPOCHS)
    searched = rates(family.policy()(jnp.asarray(constants)), facts(0.0), losses, losses)
    kept = rates(law_policy(family.law(constants), EPOCHS), facts(0.0), losses, losses)
    assert searched == pytest.approx(kept, rel=1e-5)
    assert kept[0] < family.base.rates.low


def test_a_law_without_t_has_no_input_and_no_shape_of_it() -> None:
    with pytest.raises(ValueError, match="without T there is no v_late"):
        Family(free_of(psi.load("adam")))
    half = replace(free_of(psi.load("adam")), model=parse("parameters^2"))
    with pytest.raises(ValueError, match="must be a formula of facts"):
        Family(half, ())


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_the_start_is_the_base(optimizer: str) -> None:
    base = psi.load(optimizer)
    family = Family(base, ALL)
    losses = np.linspace(2.0, 1.0, EPOCHS)
    own = rates(law_policy(family.law(family.start), EPOCHS), facts(0.0), losses, losses)
    assert own == pytest.approx(rates(law_policy(base, EPOCHS), facts(0.0), losses, losses))


def test_without_a_validation_loss_only_scale_and_shape_are_left() -> None:
    family = Family(psi.load("adam"), OF_VALIDATION)
    law = family.law(some_constants(family))
    losses, none = np.linspace(2.0, 1.0, EPOCHS), np.full(EPOCHS, np.nan)
    plain = Family(psi.load("adam"), ()).law(some_constants(family)[:3])
    kept = rates(law_policy(law, EPOCHS), facts(0.0), losses, none)
    assert kept == pytest.approx(rates(law_policy(plain, EPOCHS), facts(0.0), losses, none))


def test_a_law_is_saved_and_read(tmp_path) -> None:
    family = Family(psi.load("sgd"), OF_VALIDATION)
    law = family.law(some_constants(family))
    law.save(tmp_path / "law.json")
    assert psi.load(tmp_path / "law.json") == law
    assert law.caps == CAPS
    assert law.feedback is not None
    assert 0.5 <= law.feedback.keep <= 1


def test_weights_of_nothing_are_not_written() -> None:
    family = Family(psi.load("adam"), ALL)
    constants = family.start.copy()
    constants[family.constants.index("v_above")] = -0.5
    assert str(family.law(constants)).splitlines()[1] == (
        "feedback ← min(max(0.98*feedback + (budget/20)^0*(-0.5*tanh(20*val_excess)), -6), 3)"
    )


def test_what_is_no_family_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown input 'v_abov'"):
        Family(psi.load("adam"), ("v_abov",))
    with pytest.raises(ValueError, match="a formula of facts"):
        Family(psi.load("adam@0.1.0"))
    with pytest.raises(ValueError, match="a formula of facts"):
        Family(Family(psi.load("adam"), ()).law(np.array([0.0, 0.0, 2.0])))  # a square for a line


def test_constants_are_held_within_their_limits() -> None:
    family = Family(psi.load("adam"))
    wild = family.within(np.full((2, len(family.start)), 9.0))
    assert dict(zip(family.constants, wild[0], strict=True))["leak"] == 0.5
    assert dict(zip(family.constants, wild[1], strict=True))["power"] == 4.0


def test_lanes_are_vmapped() -> None:
    family = Family(psi.load("adam"))
    lanes = jnp.asarray(np.stack([some_constants(family, k) for k in range(3)]))
    seen = Observation(
        0, jnp.asarray(EPOCHS), 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, val_loss=jnp.nan, **facts(0.0)
    )
    make = family.policy()

    def first(lane):
        policy = make(lane)
        return policy.step(policy.init(seen), seen)[1]

    np.testing.assert_allclose(
        jax.vmap(first)(lanes), [jax.jit(first)(lane) for lane in lanes], rtol=1e-6
    )


def test_equal_families_share_their_programs() -> None:
    one, other = (Family(psi.load("adam"), ("v_above",)) for _ in range(2))
    assert one.policy() is other.policy()
    assert one.policy() is not Family(psi.load("adam"), ("v_step",)).policy()
