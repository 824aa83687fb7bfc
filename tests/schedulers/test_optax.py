"""The optax adapter: it is optax's own scaling, with the rate that the clock gives."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from psi.law import clock as clock_
from psi.law.clock import Clock, ClockState, observe, start, tick
from psi.law.expression import Apply, Constant, Variable
from psi.law.law import Law, Range
from psi.law.parts import explained
from psi.schedulers import optax as adapter

# optax's types hide what is inside a tree, and these tests look there.
scale_by_psi: Any = adapter.scale_by_psi
chain: Any = optax.chain

STEPS = 3
EPOCHS = 4


def _losses(seed: int = 0, epochs: int = EPOCHS) -> np.ndarray:
    """Falling, noisy; float32 holds them exactly. shape=(epochs · STEPS,)"""
    count = epochs * STEPS
    noise = np.random.default_rng(seed).uniform(0.9, 1.1, size=count)
    return (2.2 * np.linspace(1, 0.2, count) * noise).astype(np.float32)


def _by_hand(clock: Clock, losses: Sequence[float] | np.ndarray) -> list[float]:
    """The rate of every step, from the clock on numpy."""
    state = clock_.first(clock, clock_.start(clock, np), np.float64(losses[0]), np)
    found = []
    for step, loss in enumerate(losses):
        if step and step % STEPS == 0:
            state = clock_.tick(clock, state, np)
        found.append(float(state.learning_rate))
        state = clock_.observe(state, np.float64(loss))
    return found


def _runner(tx: Any) -> Any:
    """Losses → the rate of every step, read off the updates of a gradient of one."""

    def step(state: Any, loss: jax.Array) -> tuple[Any, jax.Array]:
        updates, state = tx.update(jnp.ones(()), state, value=loss)
        return state, -updates

    return jax.jit(lambda losses: jax.lax.scan(step, tx.init(jnp.ones(())), losses)[1])


def _rates(tx: Any, losses: Any) -> list[float]:
    return np.asarray(_runner(tx)(jnp.asarray(losses))).tolist()


def _gradients() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {
        "weights": jnp.asarray(rng.normal(size=(4, 3)), dtype=jnp.float32),
        "biases": [jnp.asarray(rng.normal(size=3), dtype=jnp.float32), jnp.float32(0.3)],
    }


def test_updates_are_those_of_optax_at_the_same_rate(law: Law) -> None:
    gradients, losses = _gradients(), _losses()
    tx = scale_by_psi(law, STEPS, EPOCHS)
    state = tx.init(gradients)
    for loss in losses:
        updates, state = tx.update(gradients, state, gradients, value=loss)
        peer = optax.scale_by_learning_rate(float(state.learning_rate))
        wanted, _ = peer.update(gradients, peer.init(gradients))
        jax.tree.map(np.testing.assert_array_equal, updates, wanted)


def test_the_first_rate_is_the_law_s(formula: Law) -> None:
    # The first minibatch's loss is ε_0, so the ratio is 1 and α_0 = 0.2; else 1.1 / 2.
    losses = [1.1] * STEPS
    assert _rates(scale_by_psi(formula, STEPS, EPOCHS), losses)[0] == pytest.approx(0.2)
    given = scale_by_psi(formula, STEPS, EPOCHS, initial_loss=2.0)
    wanted = [0.2] * STEPS + [0.2 * math.sqrt(1.1 / 2) * 0.75]
    assert _rates(given, [*losses, 5.0]) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("initial", [None, 1.7])
def test_the_rate_of_every_step_is_the_clock_s(law: Law, initial: float | None) -> None:
    losses = _losses()
    wanted = _by_hand(Clock(law, EPOCHS, initial, 0.002, 0.4), losses)
    assert len(set(wanted)) == EPOCHS
    tx = scale_by_psi(law, STEPS, EPOCHS, initial, min_lr=0.002, max_lr=0.4)
    assert _rates(tx, losses) == pytest.approx(wanted, rel=1e-6)


def test_in_double_precision_it_is_the_clock_to_the_last_digits(law: Law) -> None:
    losses = _losses().astype(np.float64)
    wanted = _by_hand(Clock(law, EPOCHS), losses)
    with jax.enable_x64(True):
        got = _rates(scale_by_psi(law, STEPS, EPOCHS), losses)
    assert got == pytest.approx(wanted, rel=1e-13)


def test_it_counts_the_parameters() -> None:
    model = Apply("div", (Variable("parameters"), Constant(100.0)))
    law = Law(model, ("parameters",), (Range(1.0, 1e6),), Range(1e-3, 1e3), "sgd", 1.0)
    tx = scale_by_psi(law, STEPS, EPOCHS)
    params = _gradients()
    for init in (tx.init, jax.jit(tx.init)):
        _, state = tx.update(params, init(params), params, value=1.0)
        assert float(state.learning_rate) == pytest.approx((12 + 3 + 1) / 100)


def test_the_limits_win(formula: Law) -> None:
    low = scale_by_psi(formula, STEPS, EPOCHS, min_lr=0.75, max_lr=0.875)
    assert set(_rates(low, _losses())) == {0.75}
    high = scale_by_psi(formula, STEPS, EPOCHS, min_lr=0.0, max_lr=0.0009765625)
    assert set(_rates(high, _losses())) == {0.0009765625}


def test_a_loss_that_is_not_finite_keeps_the_rate_for_an_epoch(law: Law) -> None:
    run = _runner(scale_by_psi(law, STEPS, EPOCHS))
    good = _losses()
    wanted = np.asarray(run(good)).reshape(EPOCHS, STEPS)
    assert len(set(wanted[:, 0].tolist())) == EPOCHS
    for bad in (math.nan, math.inf, -math.inf):
        hurt = good.copy()
        hurt[STEPS + 1] = bad
        got = np.asarray(run(hurt)).reshape(EPOCHS, STEPS)
        np.testing.assert_array_equal(got[[0, 1, 3]], wanted[[0, 1, 3]])
        np.testing.assert_array_equal(got[2], wanted[1])


def test_epochs_beyond_the_horizon_keep_the_last_rate_of_the_domain(formula: Law) -> None:
    # The domain of progress ends at 199/200; from then on α = 0.2 · (1 − 199/200) at a ratio of 1.
    rates = _rates(scale_by_psi(formula, STEPS, 2), [2.0] * (5 * STEPS))
    assert rates[::STEPS] == pytest.approx([0.2, 0.1, 0.001, 0.001, 0.001], rel=1e-6)


def test_the_state_tells_the_rate(formula: Law) -> None:
    gradients = _gradients()
    tx = chain(optax.trace(0.9), scale_by_psi(formula, STEPS, EPOCHS))
    state = tx.init(gradients)
    for loss in _losses():
        before = state
        updates, state = tx.update(gradients, state, gradients, value=loss)
        momentum, _ = optax.trace(0.9).update(gradients, before[0])
        rate = optax.tree_utils.tree_get(state, "learning_rate")
        for update, direction in _pairs(updates, momentum):
            np.testing.assert_array_equal(update, -rate * direction)
        assert isinstance(state[1], ClockState)
        assert state[1].learning_rate == rate
    assert optax.tree_utils.tree_get(state, "skipped") == 0


def test_it_says_why_the_rate_is_what_it_is(formula: Law) -> None:
    tx = scale_by_psi(formula, 1, EPOCHS, initial_loss=2.0)
    _, state = tx.update(_gradients(), tx.init(_gradients()), value=jnp.asarray(1.0))
    clock = Clock(formula, EPOCHS, 2.0)
    state = tick(clock, observe(start(clock, np), np.float64(1.0)), np)
    assert adapter.explain(formula, state) == explained(clock, state)


@pytest.mark.parametrize(
    ("direction", "whole"),
    [
        (optax.trace(0.9), lambda rate: optax.sgd(rate, momentum=0.9)),
        (optax.scale_by_adam(), optax.adam),
        (optax.identity(), optax.sgd),
    ],
    ids=["momentum", "adam", "sgd"],
)
def test_in_a_chain_it_trains_as_the_optimizer_would(
    formula: Law, direction: optax.GradientTransformation, whole: Any
) -> None:
    # A quadratic; the peer is the whole optimizer at each epoch's rate, from the clock on numpy.
    target = _gradients()
    tx = chain(direction, scale_by_psi(formula, STEPS, EPOCHS))

    @jax.jit
    def step(point: Any, state: Any, loss: Any) -> tuple[Any, Any]:
        updates, state = tx.update(jax.tree.map(jnp.subtract, point, target), state, value=loss)
        return optax.apply_updates(point, updates), state

    @jax.jit
    def peer(point: Any, state: Any, rate: Any) -> tuple[Any, Any]:
        gradient = jax.tree.map(jnp.subtract, point, target)
        updates, state = whole(rate).update(gradient, state, point)
        return optax.apply_updates(point, updates), state

    ours = theirs = jax.tree.map(jnp.zeros_like, target)
    state, kept = tx.init(ours), whole(0.1).init(theirs)
    losses = _losses()
    for loss, rate in zip(losses, _by_hand(Clock(formula, EPOCHS), losses), strict=True):
        ours, state = step(ours, state, loss)
        theirs, kept = peer(theirs, kept, rate)
    for one, other, begun in zip(*map(jax.tree.leaves, (ours, theirs, target)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
        assert np.abs(one).max() > 0.1 * np.abs(begun).max()  # it went somewhere


def _pairs(one: Any, other: Any) -> list[tuple[Any, Any]]:
    return list(zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def test_jit_scan_and_vmap_give_what_one_by_one_gives(law: Law) -> None:
    tx = scale_by_psi(law, STEPS, EPOCHS)
    streams = np.stack([_losses(seed) for seed in range(5)])
    streams[1, STEPS + 1] = np.nan
    streams[2, 0] = -1.0
    got = jax.vmap(_runner(tx))(jnp.asarray(streams))
    wanted = np.zeros_like(streams)
    for stream, found in zip(streams, wanted, strict=True):
        state = tx.init(jnp.ones(()))
        for step, loss in enumerate(stream):
            updates, state = tx.update(jnp.ones(()), state, value=loss)
            assert updates == -state.learning_rate
            found[step] = -updates
    assert len(set(map(tuple, wanted))) == len(streams)
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize("loss", [2.0, np.float32(2.0), "device"], ids=["float", "numpy", "jax"])
def test_it_is_compiled_once(formula: Law, loss: Any) -> None:
    tx = scale_by_psi(formula, STEPS, EPOCHS)
    loss = jnp.float32(2.0) if isinstance(loss, str) else loss
    traced = []

    @jax.jit
    def step(gradients: Any, state: Any, loss: Any) -> tuple[Any, Any]:
        traced.append(loss)
        return tx.update(gradients, state, value=loss)

    state = tx.init(jnp.ones(2))
    for _ in range(3 * STEPS * EPOCHS):
        _, state = step(jnp.ones(2), state, loss)
    assert state.epoch == 3 * EPOCHS - 1
    assert len(traced) == 1


def test_without_jit_it_is_traced_once_too(formula: Law, monkeypatch: pytest.MonkeyPatch) -> None:
    turned = []

    def turn(clock: Clock, state: ClockState, *rest: Any) -> ClockState:
        turned.append(state)
        return clock_.turn(clock, state, *rest)

    monkeypatch.setattr(adapter, "turn", turn)
    tx = scale_by_psi(formula, STEPS, EPOCHS)
    state = tx.init(jnp.ones(()))
    for loss in _losses():
        _, state = tx.update(jnp.ones(()), state, value=loss)
    assert state.epoch == EPOCHS - 1
    assert len(turned) == 1


def test_a_state_can_be_given_away_from_the_start(law: Law) -> None:
    """Donated to a compiled step, it leaves no copy behind, and the rates are the same."""
    tx = scale_by_psi(law, STEPS, EPOCHS)
    step = jax.jit(lambda s, loss: tx.update(jnp.ones(2), s, value=loss), donate_argnums=0)
    state, found = tx.init(jnp.ones(2)), []
    for loss in _losses():
        before = state
        _, state = step(state, loss)
        found.append(float(state.learning_rate))
        assert before.total.is_deleted()
    np.testing.assert_allclose(found, _rates(tx, _losses()), rtol=1e-6)


def test_updates_keep_their_type(formula: Law) -> None:
    tx = scale_by_psi(formula, STEPS, EPOCHS)
    types = (jnp.bfloat16, jnp.float16, jnp.float32, jnp.complex64)
    gradients = [jnp.asarray([1.0, -2.0, 0.0], dtype=dtype) for dtype in types]
    state = tx.init(gradients)
    updates, state = tx.update(gradients, state, value=jnp.asarray(2.0, dtype=jnp.bfloat16))
    assert state.learning_rate.dtype == jnp.float32
    for update, dtype in zip(updates, types, strict=True):
        assert update.dtype == dtype
        # One rounding, to the type of the gradient: that of bfloat16 keeps 8 bits.
        bits = 8 if dtype == jnp.bfloat16 else 11
        got = np.asarray(update).astype(complex)
        np.testing.assert_allclose(got, [-0.2, 0.4, 0.0], rtol=2.0**-bits)


def test_updates_keep_their_type_in_a_world_of_double_precision(formula: Law) -> None:
    with jax.enable_x64(True):
        tx = scale_by_psi(formula, STEPS, EPOCHS)
        gradients = {"a": jnp.ones(2, dtype=jnp.float32), "b": jnp.ones(2, dtype=jnp.float64)}
        updates, _ = tx.update(gradients, tx.init(gradients), value=2.0)
        assert (updates["a"].dtype, updates["b"].dtype) == (jnp.float32, jnp.float64)


def test_leaves_that_are_none_stay(formula: Law) -> None:
    tx = scale_by_psi(formula, STEPS, EPOCHS)
    updates, _ = tx.update({"a": None, "b": jnp.ones(())}, tx.init(None), value=2.0)
    assert updates["a"] is None
    assert float(updates["b"]) == pytest.approx(-0.2)


def test_other_arguments_of_a_chain_are_let_pass(formula: Law) -> None:
    tx = scale_by_psi(formula, STEPS, EPOCHS)
    state = tx.init(jnp.ones(2))
    extra = {"grad": jnp.ones(2), "value_fn": max, "note": "x"}
    got, _ = tx.update(jnp.ones(2), state, jnp.ones(2), value=2.0, **extra)
    wanted, _ = tx.update(jnp.ones(2), state, value=2.0)
    np.testing.assert_array_equal(got, wanted)
