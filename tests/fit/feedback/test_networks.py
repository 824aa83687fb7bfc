"""Networks in the place of a feedback's formula: the same run by hand, in float64."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

import psi
from psi.fit.feedback.family import CAPS
from psi.fit.feedback.networks import NetworkFamily
from psi.lab.engine.policy import law_policy
from psi.law.parsing import parse
from tests.fit.feedback.conftest import free_of
from tests.fit.feedback.test_family import EPOCHS, facts, rates

INPUTS = ("v_above", "v_step", "v_known")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def parts(family: NetworkFamily, flat: np.ndarray) -> dict:
    """The weights by name, as flax.nnx lays them out."""
    from flax import nnx
    from jax.flatten_util import ravel_pytree

    from psi.fit.feedback.networks import _network

    tree = ravel_pytree(_network(family)[1])[1](jnp.asarray(flat, jnp.float32))
    return nnx.to_pure_dict(tree)


def by_hand(family: NetworkFamily, flat: np.ndarray, values: np.ndarray) -> np.ndarray:
    """u_0 … on fixed data: the inputs and the network written out."""
    p = parts(family, flat)
    h, found, best, before = np.zeros(family.units), [], np.inf, np.nan
    for i in range(EPOCHS):
        if i:  # no validation loss is known before the first epoch
            v = values[i]
            step = np.log(before / v) if np.isfinite(before) else 0.0
            best, before = min(best, v), v
            seen = [np.tanh(20 * np.log(v / best)), np.tanh(20 * np.clip(step, -1, 1)), 1.0]
        else:
            seen = [0.0, 0.0, 0.0]
        x = np.array([*seen, i / EPOCHS, 0.0, np.log(EPOCHS / 20)])
        if family.kind == "dense":
            out = np.tanh(x @ p["hidden"]["kernel"] + p["hidden"]["bias"])
        else:
            own = x @ p["cell"]["dense_i"]["kernel"] + p["cell"]["dense_i"]["bias"]
            old = h @ p["cell"]["dense_h"]["kernel"]
            own, old = np.split(own, 3), np.split(old, 3)
            reset, update = sigmoid(own[0] + old[0]), sigmoid(own[1] + old[1])
            new = np.tanh(own[2] + reset * (old[2] + p["cell"]["dense_h"].get("bias", 0)))
            h = out = (1 - update) * new + update * h
        found.append(np.clip((out @ p["last"]["kernel"] + p["last"]["bias"])[0], *CAPS))
    return np.array(found)


@pytest.mark.parametrize("kind", ["dense", "gru"])
def test_rates_are_scale_and_line_times_what_the_network_says(kind) -> None:
    law = psi.load("adam")
    family = NetworkFamily(law, INPUTS, kind, units=3)
    values = np.exp(np.cumsum(np.random.default_rng(0).normal(-0.02, 0.03, EPOCHS)))
    losses = np.linspace(2.0, 1.0, EPOCHS)
    plain = rates(law_policy(law, EPOCHS), facts(0.0), losses, values)
    start = rates(family.policy()(jnp.asarray(family.start)), facts(0.0), losses, values)
    assert start == pytest.approx(plain, rel=1e-5)
    flat = family.start + np.random.default_rng(1).normal(size=len(family.start))
    found = rates(family.policy()(jnp.asarray(flat)), facts(0.0), losses, values)
    assert np.log(found / plain) == pytest.approx(by_hand(family, flat, values), abs=2e-4)


def test_families_are_told_apart_and_their_policies_made_once() -> None:
    law = psi.load("adam")
    one, same = NetworkFamily(law, INPUTS), NetworkFamily(law, INPUTS)
    others = [
        NetworkFamily(law, INPUTS[:2]), NetworkFamily(law, INPUTS, "dense"),
        NetworkFamily(law, INPUTS, units=9), NetworkFamily(law, INPUTS, seed=1),
    ]  # fmt: skip
    assert one.policy() is same.policy()
    assert all(each.words != one.words for each in others)
    assert all(each.policy() is not one.policy() for each in others)
    assert len(one.constants) == len(one.start) == len(one.spreads)


@pytest.mark.parametrize("base", [free_of(psi.load("adam")), None])
def test_a_network_needs_inputs_and_t(base) -> None:
    with pytest.raises(ValueError, match="needs inputs and a base that sees T"):
        NetworkFamily(base or psi.load("adam"), INPUTS if base else ())


def test_a_kind_that_is_none_is_refused() -> None:
    # Where shapes are checked, types are too, before the rule is.
    with pytest.raises((ValueError, TypeError), match="'lstm'"):
        NetworkFamily(psi.load("adam"), INPUTS, "lstm")  # pyright: ignore[reportArgumentType]


def test_another_base_is_refused_as_by_formulas() -> None:
    whole = replace(psi.load("adam"), model=parse("progress^2"))
    with pytest.raises(ValueError, match="must be a formula of facts"):
        NetworkFamily(whole, INPUTS)
