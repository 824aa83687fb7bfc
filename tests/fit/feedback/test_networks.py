"""Networks in the place of a feedback's formula: the same run by hand, in float64."""

from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import psi
from psi.fit.feedback.family import CAPS
from psi.fit.feedback.networks import NetworkFamily, of_updates
from psi.lab.engine.policy import law_policy
from psi.law.features import Observation
from psi.law.parsing import parse
from tests.fit.feedback.conftest import free_of
from tests.fit.feedback.test_family import EPOCHS, facts, rates

INPUTS = ("v_above", "v_step", "v_known")
NORMS = {
    "grad_norm": np.append(0.0, np.linspace(2.0, 0.5, EPOCHS - 1)),
    "update_norm": np.append(0.0, np.geomspace(1e-1, 1e-3, EPOCHS - 1)),
    "weight_norm": np.linspace(3.0, 5.0, EPOCHS),
}
"""What a run would measure: before each epoch, 0 before the first."""


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def parts(family: NetworkFamily, flat: np.ndarray) -> dict:
    """The weights by name, as flax.nnx lays them out."""
    from flax import nnx
    from jax.flatten_util import ravel_pytree

    from psi.fit.feedback.networks import _network

    tree = ravel_pytree(_network(family)[1])[1](jnp.asarray(flat, jnp.float32))
    return nnx.to_pure_dict(tree)


def statistics(i: int) -> list[float]:
    """Of the updates before epoch i."""
    if not i:
        return [0.0, 0.0]
    gradient = NORMS["grad_norm"][i] / NORMS["grad_norm"][1]
    update = NORMS["update_norm"][i] / NORMS["weight_norm"][i]
    return [np.tanh(np.log(gradient)), np.tanh((np.log(update) + 5) / 3)]


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
        if family.statistics:
            x = np.append(x, statistics(i))
        if family.kind == "leaky":
            u = np.clip(
                (1 - p["leak"]) * h[0] + (x @ p["last"]["kernel"] + p["last"]["bias"])[0], *CAPS
            )
            h = np.array([u])
            found.append(u)
            continue
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


@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize("kind", ["dense", "gru", "leaky"])
def test_rates_are_scale_and_line_times_what_the_network_says(kind, statistics) -> None:
    law = psi.load("adam")
    family = NetworkFamily(law, INPUTS, kind, units=3, statistics=statistics)
    values = np.exp(np.cumsum(np.random.default_rng(0).normal(-0.02, 0.03, EPOCHS)))
    losses = np.linspace(2.0, 1.0, EPOCHS)
    plain = rates(law_policy(law, EPOCHS), facts(0.0), losses, values)
    run = partial(rates, facts=facts(0.0), losses=losses, values=values, norms=NORMS)
    start = run(family.policy()(jnp.asarray(family.start)))
    assert start == pytest.approx(plain, rel=1e-5)
    flat = family.start + 0.5 * np.random.default_rng(1).normal(size=len(family.start))
    found = run(family.policy()(jnp.asarray(flat)))
    assert np.log(found / plain) == pytest.approx(by_hand(family, flat, values), abs=2e-4)


def test_families_are_told_apart_and_their_policies_made_once() -> None:
    law = psi.load("adam")
    one, same = NetworkFamily(law, INPUTS), NetworkFamily(law, INPUTS)
    others = [
        NetworkFamily(law, INPUTS[:2]), NetworkFamily(law, INPUTS, "dense"),
        NetworkFamily(law, INPUTS, units=9), NetworkFamily(law, INPUTS, seed=1),
        NetworkFamily(law, INPUTS, statistics=True),
    ]  # fmt: skip
    assert one.policy() is same.policy()
    assert all(each.words != one.words for each in others)
    assert all(each.policy() is not one.policy() for each in others)
    assert len(one.constants) == len(one.start) == len(one.spreads)


@pytest.mark.parametrize("base", [free_of(psi.load("adam")), None])
def test_a_network_needs_inputs_and_t(base) -> None:
    with pytest.raises(ValueError, match="needs inputs and a base that sees T"):
        NetworkFamily(base or psi.load("adam"), INPUTS if base else ())


def test_norms_that_are_not_known_say_nothing() -> None:
    seen = Observation(
        *[jnp.asarray(1.0)] * 5, grad_norm=jnp.nan, update_norm=jnp.asarray(0.0),
        weight_norm=jnp.asarray(2.0), parameters=jnp.nan,
    )  # fmt: skip
    assert [float(each) for each in of_updates(seen, jnp.asarray(1.0))] == [0.0, 0.0]
    known = seen._replace(grad_norm=jnp.asarray(2.0), update_norm=jnp.asarray(2.0 * np.exp(-5)))
    found = [float(each) for each in of_updates(known, jnp.asarray(1.0))]
    assert found == pytest.approx([0.6, 0.0], abs=1e-6)


def test_a_kind_that_is_none_is_refused() -> None:
    # Where shapes are checked, types are too, before the rule is.
    with pytest.raises((ValueError, TypeError), match="'lstm'"):
        NetworkFamily(psi.load("adam"), INPUTS, "lstm")  # pyright: ignore[reportArgumentType]


def test_another_base_is_refused_as_by_formulas() -> None:
    whole = replace(psi.load("adam"), model=parse("progress^2"))
    with pytest.raises(ValueError, match="must be a formula of facts"):
        NetworkFamily(whole, INPUTS)
