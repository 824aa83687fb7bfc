"""The clock: closed forms for simple laws, and no loss that could break it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psi.law.clock import Clock, ClockState, first, observe, rates_over, start, tick
from psi.law.facts import Facts
from psi.law.law import Law, Range

LOSS = ("loss", 0.0, 10.0)
EPOCH = ("epoch", 0.0, 100.0)
RATIO = ("loss_ratio", 0.0, 10.0)
PROGRESS = ("progress", 0.0, 1.0)

BAD = (math.nan, math.inf, -math.inf)


def run(clock: Clock, epochs: Sequence[Sequence[float]], xp: ModuleType) -> list[ClockState]:
    """The clock's state at the start of epoch 0, 1, …, len(epochs), as an adapter drives it."""
    state = first(clock, start(clock, xp), xp.asarray(epochs[0][0], dtype=float), xp)
    states = [state]
    for losses in epochs:
        for loss in losses:
            state = observe(state, xp.asarray(loss, dtype=float))
        state = tick(clock, state, xp)
        states.append(state)
    return states


def rates(clock: Clock, epochs: Sequence[Sequence[float]], xp: ModuleType) -> list[float]:
    return [float(state.learning_rate) for state in run(clock, epochs, xp)]


def test_the_rate_is_the_law_of_the_mean_loss_and_the_epoch(
    make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    # α_i = ε_i / ε_0 · (1 − i/T) with T = 4, ε_0 = 2 and ε = 2, 2, 1, 1/2, 1.
    law = make_formula(["mul", "loss_ratio", ["sub", 1.0, "progress"]], RATIO, PROGRESS)
    epochs = [[3.0, 1.0], [1.5, 0.5], [0.25, 0.5, 0.75], [1.0]]
    got = rates(Clock(law, 4, initial_loss=2.0), epochs, xp)
    assert got == [1.0, 1.0 * 0.75, 0.5 * 0.5, 0.25 * 0.25, 1e-6]


def test_the_epoch_is_counted(make_formula: Callable[..., Law], xp: ModuleType) -> None:
    law = make_formula("epoch", EPOCH, rates=(0.5, 100.0))
    states = run(Clock(law, 3), [[1.0]] * 5, xp)
    assert [float(each.learning_rate) for each in states] == [0.5, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert [int(each.epoch) for each in states] == [0, 1, 2, 3, 4, 5]


def test_the_mean_is_over_the_minibatches_of_one_epoch(
    make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    law = make_formula("loss", LOSS)
    states = run(Clock(law, 9), [[1.0, 2.0, 6.0], [4.0], [0.5, 1.0]], xp)
    assert [float(each.learning_rate) for each in states] == [1.0, 3.0, 4.0, 0.75]
    assert [float(each.loss) for each in states] == [1.0, 3.0, 4.0, 0.75]
    assert [float(each.best_loss) for each in states] == [1.0, 1.0, 1.0, 0.75]


# ε_0


def test_a_given_first_loss_stays(make_formula: Callable[..., Law], xp: ModuleType) -> None:
    loss = Clock(make_formula("loss", LOSS), 9, initial_loss=4.0)
    assert float(start(loss, xp).learning_rate) == 4.0
    assert rates(loss, [[8.0]], xp) == [4.0, 8.0]
    ratio = Clock(make_formula("loss_ratio", RATIO), 9, initial_loss=4.0)
    assert rates(ratio, [[8.0], [1.0]], xp) == [1.0, 2.0, 0.25]


def test_else_the_first_minibatch_gives_it(
    make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    assert rates(Clock(make_formula("loss", LOSS), 9), [[8.0, 4.0]], xp) == [8.0, 6.0]
    ratio = Clock(make_formula("loss_ratio", RATIO), 9)
    assert rates(ratio, [[8.0, 4.0], [2.0]], xp) == [1.0, 0.75, 0.25]


@pytest.mark.parametrize("bad", [*BAD, 0.0, -1.0])
def test_else_the_typical_one_stands(
    bad: float, make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    loss = Clock(make_formula("loss", LOSS, initial_loss=5.0), 9)
    assert float(start(loss, xp).learning_rate) == 5.0
    assert rates(loss, [[bad]], xp)[0] == 5.0
    ratio = Clock(make_formula("loss_ratio", RATIO, initial_loss=5.0), 9)
    assert rates(ratio, [[bad], [2.0]], xp)[::2] == [1.0, 0.4]


# Clamps


def test_features_are_held_in_the_domain(make_formula: Callable[..., Law], xp: ModuleType) -> None:
    law = make_formula("loss", ("loss", 0.5, 2.0))
    got = rates(Clock(law, 9), [[0.1], [1.0], [5.0], [-1.0], [1e300]], xp)
    assert got == [0.5, 0.5, 1.0, 2.0, 0.5, 2.0]


def test_epochs_beyond_the_horizon_keep_the_last_of_the_domain(
    make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    law = make_formula(["sub", 1.0, "progress"], ("progress", 0.0, 0.75))
    got = rates(Clock(law, 4), [[1.0]] * 7, xp)
    assert got == [1.0, 0.75, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25]


def test_rates_are_held_in_those_seen(make_formula: Callable[..., Law], xp: ModuleType) -> None:
    law = make_formula("loss", LOSS, rates=(0.25, 2.0))
    assert rates(Clock(law, 9), [[0.1], [1.0], [5.0]], xp) == [0.25, 0.25, 1.0, 2.0]


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.5, 1.5, [0.5, 1.0, 1.5]),
        (3.0, 4.0, [3.0, 3.0, 3.0]),
        (0.0, 0.125, [0.125, 0.125, 0.125]),
        (0.7, 0.7, [0.7, 0.7, 0.7]),
    ],
)
def test_the_user_s_limits_win(
    low: float,
    high: float,
    wanted: list[float],
    make_formula: Callable[..., Law],
    xp: ModuleType,
) -> None:
    # The law alone would give 0.25, 1 and 2.
    law = make_formula("loss", LOSS, rates=(0.25, 2.0))
    clock = Clock(law, 9, initial_loss=0.1, min_lr=low, max_lr=high)
    assert rates(clock, [[1.0], [5.0]], xp) == wanted
    assert rates(clock, [[math.nan], [math.nan]], xp) == [wanted[0]] * 3


@pytest.mark.parametrize(
    ("given", "wanted"), [(900, 0.9), (None, 0.4), (10, 0.1), (1_000_000, 1.6)]
)
def test_a_law_is_told_the_number_of_parameters(
    given: int | None, wanted: float, make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    """Within its domain; where nobody tells, the geometric middle of that."""
    tree = ["div", "parameters", 1000.0]
    law = make_formula(tree, ("parameters", 100.0, 1600.0), rates=(0.01, 9.0))
    clock = Clock(law, 9, facts=Facts(parameters=given))
    assert rates(clock, [[1.0]], xp) == pytest.approx([wanted] * 2)
    got = rates_over(clock, np.ones(3), np.arange(3.0))
    assert got == pytest.approx([wanted] * 3)


# Losses that are not numbers


@pytest.mark.parametrize("bad", BAD)
def test_an_epoch_that_is_not_finite_keeps_the_rate_and_is_counted(
    bad: float, memoryless_law: Law, xp: ModuleType
) -> None:
    clock = Clock(memoryless_law, 8, initial_loss=2.0)
    good = [[1.8, 1.6], [1.4, 1.2], [1.1, 1.0], [0.9, 0.8], [0.7], [0.6]]
    hurt = [[1.8, 1.6], [1.4, 1.2], [bad, 1.0], [0.9, bad], [0.7], [0.6]]
    wanted, states = run(clock, good, xp), run(clock, hurt, xp)
    got = [float(each.learning_rate) for each in states]
    undisturbed = [float(each.learning_rate) for each in wanted]
    assert got == [*undisturbed[:3], undisturbed[2], undisturbed[2], *undisturbed[5:]]
    assert len(set(undisturbed)) == len(undisturbed)  # else keeping a rate would not show
    assert [int(each.skipped) for each in states] == [0, 0, 0, 1, 2, 2, 2]
    assert [float(each.loss) for each in states[2:5]] == [float(states[2].loss)] * 3
    assert [int(each.epoch) for each in states] == list(range(7))
    assert float(states[-1].best_loss) == 0.6


def test_losses_that_cancel_to_no_number_are_counted(
    make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    # inf − inf is no number, and 1e308 + 1e308 is beyond the largest: numpy would warn of both.
    clock = Clock(make_formula("loss", LOSS), 9, initial_loss=3.0)
    states = run(clock, [[math.inf, -math.inf], [1e308, 1e308], [2.0]], xp)
    assert [float(each.learning_rate) for each in states] == [3.0, 3.0, 3.0, 2.0]
    assert int(states[-1].skipped) == 2


def test_a_law_that_gives_no_number_keeps_the_rate(
    make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    # log(1 − i) is 0 at i = 0, −∞ at i = 1 and no number beyond; + 2 makes 2, the lower limit, …
    tree = ["add", 2.0, ["log", ["sub", 1.0, "epoch"]]]
    clock = Clock(make_formula(tree, EPOCH, rates=(0.5, 10.0)), 9)
    states = run(clock, [[1.0]] * 3, xp)
    assert [float(each.learning_rate) for each in states] == [2.0, 0.5, 0.5, 0.5]
    assert int(states[-1].skipped) == 0
    never = Clock(make_formula(["div", 0.0, 0.0], EPOCH, rates=(0.5, 10.0)), 9)
    assert rates(never, [[1.0]], xp) == [0.5, 0.5]


AWKWARD = (0.0, -0.0, -3.0, 1e300, -1e300, 1e308, 1e-300, 5e-324, *BAD)

streams = st.lists(
    st.lists(st.floats() | st.sampled_from(AWKWARD) | st.floats(0.01, 5), min_size=1, max_size=3),
    min_size=1,
    max_size=6,
)


def _check_limits(clock: Clock, epochs: list[list[float]], xp: ModuleType) -> None:
    states = run(clock, epochs, xp)
    for state in states:
        assert clock.min_lr <= float(state.learning_rate) <= clock.max_lr
        assert math.isfinite(state.loss)
        assert math.isfinite(state.initial_loss)
        assert math.isfinite(state.best_loss)
    assert 0 <= int(states[-1].skipped) <= len(epochs)


@settings(deadline=None)
@given(epochs=streams, initial=st.none() | st.floats(1e-3, 1e3))
def test_no_stream_breaks_the_limits(
    law: Law, epochs: list[list[float]], initial: float | None
) -> None:
    # Warnings are errors here: numpy must not warn either.
    _check_limits(Clock(law, 5, initial, min_lr=0.0, max_lr=0.375), epochs, np)
    _check_limits(Clock(law, 5, initial, min_lr=0.125, max_lr=0.375), epochs, np)


@settings(deadline=None, max_examples=25)
@given(epochs=streams)
def test_a_wild_law_breaks_no_limits(wild: Law, epochs: list[list[float]]) -> None:
    _check_limits(Clock(wild, 5, min_lr=0.125, max_lr=0.375), epochs, np)
    with jax.enable_x64(True):
        _check_limits(Clock(wild, 5, min_lr=0.125, max_lr=0.375), epochs, jnp)


@pytest.fixture(scope="session")
def wild(make_formula: Callable[..., Law]) -> Law:
    """It divides by zero, overflows and takes logarithms of negative numbers in its domain."""
    tree = ["div", ["exp", ["mul", 1e3, "loss"]], ["log", ["mul", "loss_ratio", "progress"]]]
    wide = Range(-1e250, 1e250)
    law = make_formula(tree, LOSS, RATIO, PROGRESS, rates=(1e-200, 1e200))
    return replace(law, domain=(wide, wide, wide))


finite_streams = st.lists(
    st.lists(st.floats(allow_subnormal=False), min_size=1, max_size=3)
    | st.lists(st.floats(0.01, 5), min_size=1, max_size=3),
    min_size=1,
    max_size=5,
)


@settings(deadline=None, max_examples=30)
@given(epochs=finite_streams)
def test_numpy_and_jax_agree_on_any_stream(law: Law, epochs: list[list[float]]) -> None:
    clock = Clock(law, 5)
    on_numpy = run(clock, epochs, np)
    with jax.enable_x64(True):
        on_jax = run(clock, epochs, jnp)
    for one, other in zip(on_numpy, on_jax, strict=True):
        assert int(one.skipped) == int(other.skipped)
        assert float(one.learning_rate) == pytest.approx(float(other.learning_rate), rel=1e-12)
        assert float(one.best_loss) == pytest.approx(float(other.best_loss), rel=1e-12)


def test_an_epoch_without_a_loss_keeps_the_rate_and_is_counted(law: Law, xp: ModuleType) -> None:
    clock = Clock(law, 8, initial_loss=2.0)
    state = tick(clock, observe(start(clock, xp), xp.asarray(1.5)), xp)
    after = tick(clock, state, xp)
    assert float(after.learning_rate) == float(state.learning_rate)
    assert (int(after.skipped), int(after.epoch), float(after.loss)) == (1, 2, 1.5)


# Ramps, limits of change, other budgets


def test_a_warm_up_is_a_ramp_in_front_of_the_law(
    make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    law = make_formula("loss", LOSS, rates=(0.5, 10.0))
    got = rates(Clock(law, 9, initial_loss=8.0, warmup=3), [[8.0], [4.0], [4.0], [2.0]], xp)
    assert got == [2.0, 4.0, 3.0, 4.0, 2.0]  # 1/4, 2/4 and 3/4 of the law's, then all
    limited = Clock(law, 9, initial_loss=8.0, warmup=3, min_lr=3.0)
    assert rates(limited, [[8.0]], xp) == [3.0, 4.0]


def test_a_rate_stays_within_a_factor_of_the_one_before(
    make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    law = make_formula("loss", LOSS, rates=(0.01, 10.0))
    clock = Clock(law, 9, initial_loss=1.0, max_change=2.0)
    losses = [[9.0], [9.0], [5.0], [0.1], [math.nan], [0.1], [1.0]]
    assert rates(clock, losses, xp) == [1.0, 2.0, 4.0, 5.0, 2.5, 2.5, 1.25, 1.0]
    assert rates(replace(clock, max_lr=3.0), losses[:4], xp) == [1.0, 2.0, 3.0, 3.0, 1.5]


def test_the_first_rate_has_none_before_it(
    make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    law = make_formula("loss", LOSS, rates=(0.01, 10.0), initial_loss=0.1)
    assert rates(Clock(law, 9, max_change=1.1), [[8.0]], xp) == [8.0, 8.0]


def test_a_run_may_get_another_budget_on_its_way(
    make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    law = make_formula(["sub", 1.0, "progress"], PROGRESS)
    clock = Clock(law, 4)
    state = run(clock, [[1.0], [1.0]], xp)[-1]
    assert float(state.learning_rate) == 0.5
    state = state._replace(budget=xp.asarray(6.0))
    got = []
    for _ in range(3):
        state = tick(clock, observe(state, xp.asarray(1.0)), xp)
        got.append(float(state.learning_rate))
    assert got == pytest.approx([0.5, 1 / 3, 1 / 6])


def test_a_law_without_a_budget_needs_none(
    make_formula: Callable[..., Law], xp: ModuleType
) -> None:
    law = make_formula("loss", LOSS)
    assert rates(Clock(law), [[2.0], [1.0]], xp) == rates(Clock(law, 9), [[2.0], [1.0]], xp)
    assert list(rates_over(Clock(law), np.array([2, 1]), np.array([0, 9]))) == [2.0, 1.0]


def test_rates_by_themselves_have_none_before_them(law: Law) -> None:
    with pytest.raises(ValueError, match=r"no max_change, got 2\.0"):
        rates_over(Clock(law, 5, max_change=2.0), np.ones(2), np.arange(2))


# rates_over


def test_rates_over_is_what_a_run_gets(memoryless_law: Law) -> None:
    losses = [2.0, 1.4, 3.0, 0.9, 1e-9, 0.5]
    run_clock = Clock(memoryless_law, 5, initial_loss=2.0, min_lr=0.01, max_lr=0.3)
    wanted = rates(run_clock, [[each] for each in losses[1:]], np)
    got = rates_over(run_clock, np.array(losses), np.arange(6))
    assert list(got) == wanted


def test_rates_over_takes_the_typical_first_loss(make_formula: Callable[..., Law]) -> None:
    clock = Clock(make_formula("loss_ratio", RATIO, initial_loss=4.0), 5)
    assert list(rates_over(clock, np.array([1, 2]), np.array([0, 3]))) == [0.25, 0.5]


def test_rates_over_keeps_the_shape(law: Law) -> None:
    loss, epoch = np.meshgrid(np.linspace(0.1, 2, 4), np.arange(3))
    got = rates_over(Clock(law, 5), loss, epoch)
    assert got.shape == (3, 4)
    for place in np.ndindex(3, 4):
        assert got[place] == pytest.approx(rates_over(Clock(law, 5), loss[place], epoch[place]))


def test_rates_over_starts_where_a_run_does_without_a_number(
    make_formula: Callable[..., Law],
) -> None:
    clock = Clock(make_formula("loss", LOSS, rates=(0.25, 2.0)), 5)
    assert list(rates_over(clock, np.array([math.nan, math.inf, 1.0]), np.arange(3))) == [
        0.25,
        0.25,
        1.0,
    ]
