"""Branching against the population engine, and against itself."""

from typing import Any

import jax
import numpy as np
import pytest

from psi.ideal.continuation import CONSTANT, LINEAR, Candidate, law_continuation
from psi.lab.engine import branch
from psi.lab.engine.branch import States, after, along, play, starts
from psi.lab.engine.policy import law_policy, trajectory
from psi.lab.engine.population import population
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task
from psi.law.clock import Clock
from psi.law.expression import Apply, Constant, Variable
from psi.law.law import Law, Range

EPOCHS = 4
KEY = jax.random.key(3)
SEEDS = np.arange(5)
RATES = (np.geomspace(0.01, 1, 3)[:, None] * np.array([1, 0.9, 0.7, 0.5])).astype(np.float32)
AT = np.array([0, 1, 3])
MODEL = Apply("mul", (Constant(0.3), Variable("loss_ratio")))
LAW = Law(MODEL, ("loss_ratio",), (Range(0.01, 1.0),), Range(1e-3, 1.0), "sgd", 1.1)


def first_lane(_):
    return law_policy(LAW, EPOCHS)


def candidates(states, rates, horizon):
    def each(a):
        return np.broadcast_to(a[:, None], rates.shape).astype(np.int32)

    return Candidate(rates.astype(np.float32), each(states.epoch), each(states.epoch + horizon))


@pytest.mark.parametrize(
    "name", ["wine", "drift", pytest.param("noisy_quadratic_3d", marks=pytest.mark.slow)]
)
def test_a_run_that_is_stopped_and_gone_on_with_ends_as_the_engine_has_it(name):
    """Another program: equal to rounding, whatever the epoch of the branch, 0 included."""
    task = make_task(name, Hyper(epochs=EPOCHS))
    whole = population(task, trajectory, RATES, SEEDS, KEY)
    states = along(task, RATES, AT, SEEDS, KEY)
    seen = np.stack([whole.loss_running[k, :, i] for k, i in enumerate(AT)])
    np.testing.assert_allclose(states.loss, seen, rtol=2e-6)
    np.testing.assert_allclose(states.initial_loss, whole.loss_running[:, :, 0], rtol=2e-6)
    end = play(task, states, trajectory, RATES[:, None], EPOCHS - AT)
    np.testing.assert_allclose(end.loss[:, :, 0, 0], whole.val_loss[:, :, -1], rtol=1e-5)


def test_starts_are_one_program_whatever_the_number_of_seeds():
    """And each seed starts the same run among few and among many."""
    task = make_task("wine", Hyper(epochs=EPOCHS))
    many = starts(task, np.arange(branch.START * branch.UNITS), KEY)
    program: Any = branch._programs(jax.default_backend())[0]
    before = program._cache_size()
    for count in (1, 5, 8, 30):
        few = starts(task, np.arange(count), KEY)
        np.testing.assert_array_equal(few.loss[0], many.loss[0, :count])
    assert program._cache_size() == before


def test_a_law_sees_what_it_sees_in_a_whole_run():
    task = make_task("wine", Hyper(epochs=EPOCHS))
    whole = population(task, first_lane, np.zeros(1), SEEDS, KEY)
    states = starts(task, SEEDS, KEY)
    lane = np.zeros((1, 1), np.float32)
    half = after(task, states, first_lane, lane, np.array([2]))
    np.testing.assert_allclose(half.loss[0], whole.loss_running[0, :, 2], rtol=2e-6)
    end = play(task, half, first_lane, lane, np.array([2]))
    np.testing.assert_allclose(end.loss[0, :, 0, 0], whole.val_loss[0, :, -1], rtol=1e-5)


def test_continuations():
    """Each is a trajectory of the engine's own, told from the states on."""
    task = make_task("wine", Hyper(epochs=EPOCHS))
    states = along(task, RATES, AT, SEEDS, KEY)
    horizon = np.array([4, 2, 1])
    rates = np.broadcast_to([0.1, 0.4], (3, 2))
    shapes = {
        "constant": lambda n: np.ones(n),
        "linear": lambda n: (n - np.arange(n)) / n,
    }
    for continuation in (CONSTANT, LINEAR):
        lanes = candidates(states, rates, horizon)
        found = play(task, states, continuation.policy, lanes, horizon).loss
        plans = np.zeros((3, 2, EPOCHS), np.float32)
        for c, (i, n) in enumerate(zip(AT, horizon, strict=True)):
            plans[c, :, i : i + n] = rates[c][:, None] * shapes[continuation.name](n)
        assert np.array_equal(found, play(task, states, trajectory, plans, horizon).loss)


def test_after_the_candidate_a_law_rules():
    """A horizon of one epoch knows no continuation; a longer one depends on the law."""
    task = make_task("wine", Hyper(epochs=EPOCHS))
    states = along(task, RATES, AT, SEEDS, KEY)
    policy = law_continuation("law", Clock(LAW, EPOCHS)).policy
    rates = np.broadcast_to([0.1, 0.4], (3, 2))
    one, most = np.ones(3, int), EPOCHS - AT
    lanes = candidates(states, rates, one)
    by_law = play(task, states, policy, lanes, one).loss
    constant = play(task, states, CONSTANT.policy, lanes, one).loss
    np.testing.assert_allclose(by_law, constant, rtol=1e-6)
    # With the law's own rate as the candidate, it is the law from there on.
    begin = starts(task, SEEDS, KEY)
    known = {name: np.unique(value) for name, value in begin.runs.facts.items()}
    assert known["batch"] == task.facts.batch  # of every state
    assert len(known["weight_rms"]) == len(SEEDS)
    own = np.full((1, 1), 0.3)
    whole = play(task, begin, policy, candidates(begin, own, most[:1]), most[:1]).loss
    law = play(task, begin, first_lane, np.zeros((1, 1), np.float32), most[:1]).loss
    np.testing.assert_allclose(whole, law, rtol=1e-6)


def test_orders_are_fresh_shared_by_the_rates_and_independent_of_the_rest():
    task = make_task("wine", Hyper(epochs=EPOCHS))
    states = along(task, RATES, AT, SEEDS, KEY)
    lanes = np.repeat(RATES[:, None], 3, axis=1)
    left = EPOCHS - AT
    found = play(task, states, trajectory, lanes, left, orders=4, key=KEY).loss
    assert found.shape == (3, 5, 4, 3)
    # One rate three times: the same batches, so the same loss to the last bit.
    assert (found == found[..., :1]).all()
    assert len(np.unique(found[0, 0, :, 0])) == 4
    again = play(task, states, trajectory, lanes, left, orders=4, key=KEY).loss
    assert np.array_equal(found, again)
    other = play(task, states, trajectory, lanes, left, orders=4, key=jax.random.key(4)).loss
    assert (found != other).all()


def test_a_diverged_lane_changes_no_bit_elsewhere():
    task = make_task("wine", Hyper(epochs=EPOCHS))
    states = along(task, RATES, AT, SEEDS, KEY)
    lanes = np.repeat(RATES[:, None], 4, axis=1)
    clean = play(task, states, trajectory, lanes, EPOCHS - AT).loss
    lanes[:, 1] = np.nan
    lanes[:, 3] = 1e30
    poisoned = play(task, states, trajectory, lanes, EPOCHS - AT).loss
    assert np.array_equal(clean[..., [0, 2]], poisoned[..., [0, 2]])
    assert not np.isfinite(poisoned[..., 1]).any()


def test_one_program_serves_all_cells_states_and_horizons():
    task = make_task("noisy_quadratic", Hyper(epochs=EPOCHS))
    other = make_task("noisy_quadratic", Hyper(epochs=EPOCHS))
    program: Any = branch._programs("cpu")[1]
    program.clear_cache()
    for cells, seeds, horizon in ((1, 8, 1), (2, 7, 2), (3, 5, 1)):
        for each in (task, other):
            states = along(each, RATES[:cells], np.zeros(cells, int), np.arange(seeds), KEY)
            lanes = np.broadcast_to(RATES[:cells, None], (cells, 2, EPOCHS))
            play(each, states, trajectory, lanes, np.full(cells, horizon), orders=2, key=KEY)
    # One for keeping the runs (along, one lane), one for the losses of two lanes.
    assert program._cache_size() == 2


def test_nothing_beyond_the_budget_and_no_fresh_orders_for_moving_targets():
    task = make_task("drift", Hyper(epochs=EPOCHS))
    states = along(task, RATES, AT, SEEDS, KEY)
    with pytest.raises(ValueError, match="within the budget of 4 epochs"):
        play(task, states, trajectory, RATES[:, None], np.full(3, 2))
    with pytest.raises(ValueError, match="orders must be 0"):
        play(task, states, trajectory, RATES[:, None], np.ones(3, int), orders=2, key=KEY)
    with pytest.raises(ValueError, match="with a key"):
        play(task, states, trajectory, RATES[:, None], np.ones(3, int), orders=2)


@pytest.mark.slow
def test_states_of_a_cell_are_those_of_its_trajectory_alone():
    """Visited together with others or alone: the same runs."""
    task = make_task("teacher-0", Hyper(epochs=EPOCHS))
    both = along(task, RATES, AT, SEEDS, KEY)
    one = along(task, RATES[2:], AT[2:], SEEDS[:2], KEY)
    assert isinstance(one, States)
    for a, b in zip(
        jax.tree.leaves(both.runs.progress.params), jax.tree.leaves(one.runs.progress.params),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_allclose(a[2, :2], b[0], rtol=1e-5, atol=1e-6)
