"""A law: the same numbers from numpy and JAX, one point or many; what is no law is refused."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.law.expression import Constant, Variable, evaluate
from psi.law.law import Law, Range
from psi.law.network import Network

POINTS = 20_000


def _domain(law: Law) -> np.ndarray:
    """Points of the whole domain, its corners among them; float32 holds them exactly."""
    low, high = np.array(law.domain).T
    inside = np.random.default_rng(0).uniform(low, high, size=(POINTS, len(low)))
    corners = np.array(np.meshgrid(*law.domain)).reshape(len(low), -1).T
    return np.concatenate([inside, corners]).astype(np.float32)


def _on_jax(law: Law, points: np.ndarray) -> np.ndarray:
    return np.asarray(jax.jit(jax.vmap(partial(law, xp=jnp)))(jnp.asarray(points)))


def test_jax_in_single_precision_agrees_with_numpy(law: Law) -> None:
    points = _domain(law)
    got = _on_jax(law, points)
    assert got.dtype == np.float32
    wanted = law(points.T.astype(np.float64))
    assert np.max(np.abs(got / wanted - 1)) < 1e-6


def test_jax_in_double_precision_agrees_with_numpy(law: Law) -> None:
    points = _domain(law).astype(np.float64)
    with jax.enable_x64(True):
        got = _on_jax(law, points)
    assert got.dtype == np.float64
    assert np.max(np.abs(got / law(points.T) - 1)) < 1e-12


def test_the_formula_is_the_one_that_its_docstring_says(formula_law: Law) -> None:
    for ratio, progress in [(1.0, 0.0), (0.25, 0.5), (1.5, 0.95)]:
        wanted = 0.3 * ratio**0.7 * (1 - progress) ** 1.5 + 0.001
        assert float(formula_law([ratio, progress])) == pytest.approx(wanted, rel=1e-14)


def test_one_point_gives_one_rate_and_many_give_many(law: Law, xp: ModuleType) -> None:
    points = _domain(law)[:6].T.astype(np.float64).reshape(-1, 3, 2)
    many = law(xp.asarray(points), xp)
    assert many.shape == (3, 2)
    for place in np.ndindex(3, 2):
        one = law(xp.asarray(points[:, *place]), xp)
        assert one.shape == ()
        assert np.asarray(many)[place] == pytest.approx(float(one), rel=1e-14)


def test_a_formula_without_features_still_has_the_shape_of_the_points(
    formula_law: Law, xp: ModuleType
) -> None:
    constant = replace(formula_law, model=Constant(0.1))
    assert constant(xp.zeros((2, 5)), xp).shape == (5,)
    assert constant(xp.zeros(2), xp).shape == ()


def test_features_of_few_bits_are_worked_out_in_more(law: Law) -> None:
    points = _domain(law)[:10].T.astype(np.float16)
    assert law(points).dtype == np.float64
    assert np.array_equal(law(points), law(points.astype(np.float64)))
    assert law(jnp.asarray(points), jnp).dtype == jnp.float32


def test_nothing_is_clipped_outside_the_domain(formula_law: Law) -> None:
    assert float(formula_law([16.0, 0.0])) == pytest.approx(0.3 * 16**0.7 + 0.001)
    assert float(formula_law([16.0, 0.0])) > formula_law.rates.high


def test_the_text_is_the_formula_or_the_widths(formula_law: Law, network_law: Law) -> None:
    assert str(formula_law) == "0.3*loss_ratio^0.7*(1 - progress)^1.5 + 0.001"
    assert str(network_law) == "network 3-8-8-1 of (loss_ratio, progress, loss)"


def test_a_law_is_a_key(law: Law) -> None:
    assert {law: 1}[replace(law)] == 1
    assert replace(law, optimizer="sgd") != law


@pytest.mark.parametrize("shape", [(), (4,), (4, 2)])
def test_features_of_another_number_are_refused(law: Law, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="features must be"):
        law(np.ones(shape))


WRONG: dict[str, tuple[Callable[[Law], Law], str]] = {
    "unknown feature": (
        lambda law: replace(law, features=("depth", *law.features[1:])),
        "unknown feature 'depth'",
    ),
    "a feature twice": (
        lambda law: replace(law, features=("loss", *["loss"] * (len(law.features) - 1))),
        "distinct",
    ),
    "no features": (lambda law: replace(law, features=()), "at least one"),
    "domain short": (lambda law: replace(law, domain=law.domain[1:]), "one range a feature"),
    "domain upside down": (
        lambda law: replace(law, domain=(Range(2, 1), *law.domain[1:])),
        "domain of [a-z_]+ must be finite",
    ),
    "domain without end": (
        lambda law: replace(law, domain=(Range(0, math.inf), *law.domain[1:])),
        "domain of [a-z_]+ must be finite",
    ),
    "domain no number": (
        lambda law: replace(law, domain=(Range(math.nan, 1), *law.domain[1:])),
        "domain of [a-z_]+ must be finite",
    ),
    "rates zero": (lambda law: replace(law, rates=Range(0, 1)), "rates must be"),
    "rates upside down": (lambda law: replace(law, rates=Range(2, 1)), "rates must be"),
    "rates without end": (lambda law: replace(law, rates=Range(1, math.inf)), "rates must be"),
    "rates no number": (lambda law: replace(law, rates=Range(1, math.nan)), "rates must be"),
    "typical loss zero": (lambda law: replace(law, initial_loss=0.0), "initial_loss must be"),
    "typical loss no number": (
        lambda law: replace(law, initial_loss=math.nan),
        "initial_loss must be",
    ),
    "unknown optimizer": (lambda law: replace(law, optimizer="SGD"), "optimizer must be"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_law_is_refused(law: Law, wrong: str) -> None:
    make, reason = WRONG[wrong]
    with pytest.raises(ValueError, match=reason):
        make(law)


def test_a_model_of_other_features_is_refused(formula_law: Law, network_law: Law) -> None:
    with pytest.raises(ValueError, match="not a feature"):
        replace(formula_law, model=Variable("loss"))
    with pytest.raises(ValueError, match="takes 3 features, the law declares 2"):
        replace(formula_law, model=network_law.model)


def test_the_law_is_its_model(law: Law) -> None:
    points = _domain(law)[:10].T.astype(np.float64)
    if isinstance(law.model, Network):
        wanted = law.model(points, np)
    else:
        wanted = evaluate(law.model, law.features, points, np)
    assert np.array_equal(law(points), wanted)
