"""What a clock remembers, against the definitions over the whole history."""

import math
from itertools import pairwise
from types import ModuleType

import jax
import numpy as np
import pytest

from psi.law.memory import Memory, Trace, aged, begun, told
from tests.schedulers.streams import EPOCHS, STREAMS, random_streams


def remembered(first: float, losses: np.ndarray, held: np.ndarray, xp: ModuleType) -> Memory:
    memory = begun(first, xp)
    for loss, v in zip(losses, held, strict=True):
        memory = told(aged(memory, xp), xp, xp.asarray(loss), xp.asarray(v))
    return memory


def by_history(history: list[float]) -> Trace:
    """The trace of losses, an epoch each, the first of which came before all; NaN: none came.

    Naive, from all of them.
    """
    came = [(i, x) for i, x in enumerate(history) if math.isfinite(x)]
    if not came:
        return Trace(math.nan, math.nan, 0, 0, 0, 0, 0)
    steps = [ratio(before, now) for (_, before), (_, now) in pairwise(came)]
    lowest = [min(x for _, x in came[: k + 1]) for k in range(len(came))]
    stalls = [1.0 * (came[k + 1][1] >= lowest[k]) for k in range(len(steps))]
    weights = [0.3 * 0.7 ** (len(steps) - 1 - k) for k in range(len(steps))]
    last_best = max(came[k][0] for k in range(len(came)) if k == 0 or came[k][1] < lowest[k - 1])
    now = len(history) - 1
    arrived = came[-1][0] == now and len(came) > 1
    return Trace(
        last=came[-1][1],
        best=lowest[-1],
        excess=ratio(came[-1][1], lowest[-1], most=math.inf),
        progress=steps[-1] if arrived else 0.0,
        trend=float(np.dot(weights, steps)) if steps else 0.0,
        stalled=float(np.dot(weights, stalls)) if steps else 0.0,
        since=float(now - last_best),
    )


def ratio(a: float, b: float, most: float = 1.0) -> float:
    """log(a/b) within ±most; 0 where it is none."""
    return min(max(math.log(a) - math.log(b), -most), most) if a > 0 and b > 0 else 0.0


@pytest.mark.parametrize("validation", STREAMS)
@pytest.mark.parametrize("stream", STREAMS)
def test_memory_is_what_the_history_says(stream: str, validation: str, xp: ModuleType) -> None:
    losses, held = STREAMS[stream], STREAMS[validation]
    for epochs in (1, 5, EPOCHS):
        found = remembered(2.3, losses[:epochs], held[:epochs], xp)
        for own, wanted in (
            (found.loss, by_history([2.3, *losses[:epochs]])),
            (found.validation, by_history([math.nan, *held[:epochs]])),
        ):
            np.testing.assert_allclose(own, wanted, rtol=1e-12, atol=1e-12)
        gap = ratio(float(found.validation.last), float(found.loss.last))
        assert float(found.gap) == pytest.approx(gap, abs=1e-12)


@pytest.mark.parametrize("stream", ["smooth", "noisy", "jumps", "one NaN", "zero"])
def test_the_unit_of_a_loss_does_not_matter(stream: str) -> None:
    plain, scaled = (
        remembered(2.3 * c, c * STREAMS[stream], c * STREAMS["noisy"], np) for c in (1.0, 1e-7)
    )
    for one, other in zip(plain[:2], scaled[:2], strict=True):
        np.testing.assert_allclose(one[2:], other[2:], rtol=1e-9, atol=1e-12)
    assert plain.gap == pytest.approx(scaled.gap, rel=1e-9)


def test_features_are_finite_and_limited_whatever_comes(xp: ModuleType) -> None:
    losses = random_streams(2000, seed=3, batches=2, epochs=8).astype(float)
    memory = begun(xp.full(2000, 2.0), xp)
    for both in losses:
        memory = told(aged(memory, xp), xp, *map(xp.asarray, both))
        for trace in memory[:2]:
            assert np.isfinite(np.asarray(trace[2:])).all()
            assert (np.asarray(trace.excess) >= 0).all()
            assert (np.abs([trace.progress, trace.trend]) <= 1).all()
            assert ((np.asarray(trace.stalled) >= 0) & (np.asarray(trace.stalled) <= 1)).all()


def test_a_validation_loss_may_come_late_or_again() -> None:
    both = remembered(2.0, np.array([1.5, 1.2]), np.array([1.6, 1.7]), np)
    late = begun(2.0, np)
    for loss, v in ((1.5, 1.6), (1.2, 1.7)):
        late = told(told(aged(late, np), np, loss=loss), np, val=9.0)
        late = told(late, np, val=v)  # the newest counts
    np.testing.assert_array_equal(jax.tree.leaves(both), jax.tree.leaves(late))
