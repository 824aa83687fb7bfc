"""One table of loss streams, and random ones, through the clock and through every adapter."""

import math
import os
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.law import clock as clock_
from psi.law.clock import Clock
from psi.law.law import Law
from tests.law.conftest import LAWS
from tests.schedulers.drivers import DRIVERS, LIMITS, clock_rates
from tests.schedulers.streams import EPOCHS, STREAMS, random_streams, single

COUNT = int(os.environ.get("PSI_STREAMS", "100000"))
"""Random streams through the clock; PSI_STREAMS=1000000 makes it a million."""
EACH = 300  # through each adapter
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "warm-up": {"warmup": 3},
    "slow": {"max_change": 1.5},
    "both": {"warmup": 3, "max_change": 1.5},
}


# The table


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("stream", STREAMS)
def test_every_adapter_gives_the_clock_s_rates(
    formula: Law, stream: str, settings: str, driver: str
) -> None:
    losses, more = single(STREAMS[stream]), LIMITS | SETTINGS[settings]
    wanted = clock_rates(formula, losses, EPOCHS, **more)
    got = np.array(DRIVERS[driver].rates(formula, losses, EPOCHS, **more))
    np.testing.assert_allclose(got, wanted, rtol=DRIVERS[driver].near, atol=0)
    assert ((got >= LIMITS["min_lr"] * (1 - 1e-7)) & (got <= LIMITS["max_lr"])).all()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_network_too(driver: str) -> None:
    from tests.schedulers.conftest import LAWS

    law, losses = LAWS["network"](), single(STREAMS["jumps"])
    wanted = clock_rates(law, losses, EPOCHS, **LIMITS)
    got = DRIVERS[driver].rates(law, losses, EPOCHS, **LIMITS)
    np.testing.assert_allclose(got, wanted, rtol=DRIVERS[driver].near, atol=0)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("validation", ["none", *STREAMS])
@pytest.mark.parametrize("stream", ["smooth", "noisy", "one NaN", "zero"])
def test_a_law_with_feedback_too(stream: str, validation: str, driver: str) -> None:
    """Of every stream as a validation loss beside some training losses."""
    law, losses = replace(LAWS["feedback"](), optimizer="sgd"), single(STREAMS[stream])
    held = None if validation == "none" else single(STREAMS[validation])
    more = LIMITS | {"max_lr": 1.0}
    wanted = clock_rates(law, losses, EPOCHS, held, **more)
    got = DRIVERS[driver].rates(law, losses, EPOCHS, held=held, **more)
    np.testing.assert_allclose(got, wanted, rtol=20 * DRIVERS[driver].near, atol=0)


@pytest.mark.parametrize("driver", DRIVERS)
def test_after_one_bad_epoch_the_undisturbed_rate_returns(formula: Law, driver: str) -> None:
    good, hurt = (single(STREAMS[name]) for name in ("smooth", "one NaN"))
    given = {"initial_loss": 2.0}
    undisturbed, got = (DRIVERS[driver].rates(formula, x, EPOCHS, **given) for x in (good, hurt))
    assert got[5] == got[4]  # ε_5 is no number
    assert undisturbed[5] != undisturbed[4]
    assert [*got[:5], *got[6:]] == [*undisturbed[:5], *undisturbed[6:]]


@pytest.mark.parametrize("driver", DRIVERS)
def test_random_streams_give_the_clock_s_rates(formula: Law, driver: str) -> None:
    """300 streams, one after the other through one run of an adapter each of 6 epochs."""
    losses = random_streams(EACH, seed=1, batches=1)[:, 0]
    wanted = clock_rates(formula, losses, 6, **LIMITS)
    for number, stream in enumerate(losses.T):
        got = DRIVERS[driver].rates(formula, stream, 6, **LIMITS)
        near = DRIVERS[driver].near
        np.testing.assert_allclose(got, wanted[:, number], rtol=near, atol=0)


# The clock, many streams at once


def rates_of(clock: Clock, losses: np.ndarray, xp: Any) -> np.ndarray:
    """The rate of every epoch and stream; losses of shape (epochs, batches, count)."""
    shape = losses.shape[2:]
    state = jax.tree.map(lambda a: xp.broadcast_to(a, shape), clock_.start(clock, xp))
    state = clock_.first(clock, state, xp.asarray(losses[0, 0], dtype=float), xp)
    rates = [state.learning_rate]
    for epoch in losses:
        for loss in epoch:
            state = clock_.observe(state, xp.asarray(loss, dtype=float))
        state = clock_.tick(clock, state, xp)
        rates.append(state.learning_rate)
    return np.stack([np.asarray(rate) for rate in rates])


@pytest.mark.parametrize("settings", SETTINGS)
def test_no_stream_leaves_the_user_s_limits(law: Law, settings: str) -> None:
    limits = {"min_lr": 0.004, "max_lr": 0.3}
    clock = Clock(law, 5, **limits, **SETTINGS[settings])
    for part in range(-(-COUNT // 100_000)):
        losses = random_streams(min(COUNT, 100_000), seed=part)
        rates = rates_of(clock, losses, np)
        assert rates.min() >= limits["min_lr"]
        assert rates.max() <= limits["max_lr"]  # no NaN: it would fail both


def test_numpy_and_jax_give_the_same_rates(law: Law) -> None:
    clock = Clock(law, 5, warmup=2, max_change=4.0)
    losses = random_streams(COUNT if COUNT < 200_000 else 200_000, seed=7)
    on_numpy = rates_of(clock, losses, np)
    with jax.enable_x64(True):
        on_jax = rates_of(clock, losses, jnp)
    np.testing.assert_allclose(on_jax, on_numpy, rtol=1e-12)


def test_random_streams_are_as_awkward_as_they_say() -> None:
    losses = random_streams(1000, seed=0)
    assert losses.dtype == np.float32
    for bad in (math.inf, -math.inf, 0.0):
        assert (losses == bad).mean() > 0.005
    assert np.isnan(losses).mean() > 0.005
    fine = losses[np.isfinite(losses) & (losses > 0)]
    assert np.log10(np.quantile(fine, 0.95) / np.quantile(fine, 0.05)) > 8
