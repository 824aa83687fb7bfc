"""Ideal rates by branching: on problems with known answers, and what cannot be asked."""

import jax
import numpy as np
import pytest

from psi.ideal.branched import Branching, best_rates, branch_surface
from psi.ideal.continuation import CONSTANT, LINEAR
from psi.ideal.rate import ideal_rates
from psi.lab.engine.branch import States, along, starts
from psi.lab.hyper import Hyper
from psi.lab.tasks.closed_forms import noisy_quadratic_rate
from psi.lab.tasks.noisy_problems import NoisyQuadratic
from psi.lab.tasks.table import make_task

KEY = jax.random.key(5)
GRID = np.geomspace(0.01, 1.0, 10)
ONE_STEP = Branching(1, CONSTANT, orders=0, rounds=2)


def numbers(task):
    return NoisyQuadratic(*(np.asarray(a, float) for a in task.arrays))


def test_greedy_rates_of_one_curvature_are_the_formula():
    """G1: α* = ε/(ε + c)/h at ε_0 = 4, c = 0.25; 4,096 runs, standard error 0.4 %; false alarm
    below 1e-4 at 3 %."""
    task = make_task("noisy_quadratic", Hyper(epochs=3))
    surface = branch_surface(task, starts(task, np.arange(4096), KEY), GRID, ONE_STEP, KEY)
    truth = noisy_quadratic_rate(4.0, numbers(task))
    row = ideal_rates(surface).iloc[0]
    assert row.lr == pytest.approx(truth, rel=0.03)
    assert row.lr_low < row.lr < row.lr_high
    assert row.lr_high / row.lr_low < 1.1
    assert (row.horizon, row.continuation, row.runs) == (1, "constant", 4096)
    assert list(best_rates(surface)) == [row.lr]


def test_rounds_close_in_on_the_best():
    """From rates a factor of 4.6 apart: one round is off by over 10 %, three are not by 3 %."""
    task = make_task("noisy_quadratic", Hyper(epochs=3))
    states, coarse = starts(task, np.arange(4096), KEY), np.geomspace(0.01, 1.0, 4)
    truth = noisy_quadratic_rate(4.0, numbers(task))
    one, three = (
        best_rates(branch_surface(task, states, coarse, Branching(1, CONSTANT, 0, n), KEY))[0]
        for n in (1, 3)
    )
    assert abs(one / truth - 1) > 0.1
    assert three == pytest.approx(truth, rel=0.03)


def test_cells_from_trajectories_of_a_network():
    task = make_task("wine", Hyper(epochs=4))
    plans = np.repeat([[0.05], [2.0]], 4, axis=1)
    states = along(task, plans, np.array([1, 2]), np.arange(4), KEY)
    branching = Branching(None, LINEAR, orders=2)
    surface = branch_surface(task, states, 3 * GRID, branching, KEY)
    ideal = ideal_rates(surface)
    assert list(ideal.horizon) == [3, 2]
    assert list(ideal.epochs) == [4, 4]
    assert set(ideal.runs) == {8}
    assert set(ideal.continuation) == {"linear"}
    np.testing.assert_allclose(ideal.loss, states.loss.mean(1), rtol=1e-6)
    assert np.isfinite(ideal.log_lr_error).all()


def test_one_state_is_resampled_over_its_batch_orders():
    task = make_task("wine", Hyper(epochs=4))
    states = along(task, np.full((1, 4), 0.3), np.array([1]), np.arange(1), KEY)
    surface = branch_surface(task, states, GRID, Branching(2, LINEAR, orders=8), KEY)
    assert set(surface.groups) == {8}
    assert ideal_rates(surface).sure.dtype == bool


def test_dead_cells_are_left_out_and_none_left_is_no_data():
    task = make_task("wine", Hyper(epochs=4))
    plans = np.array([[0.1] * 4, [1e20] * 4])
    states = along(task, plans, np.array([2, 2]), np.arange(4), KEY)
    branching = Branching(1, LINEAR, orders=2)
    assert set(branch_surface(task, states, GRID, branching, KEY).cell) == {0}
    dead = States(jax.tree.map(lambda a: a[1:], states.runs), states.epoch[1:])
    with pytest.raises(ValueError, match="no data: all 1 cells of wine"):
        branch_surface(task, dead, GRID, branching, KEY)


def test_what_cannot_be_asked():
    task = make_task("noisy_quadratic", Hyper(epochs=2))
    states = starts(task, np.arange(4), KEY)
    for rates in ([0.1, 0.2], [0.1, 0.1, 0.2], [-0.1, 0.1, 0.2]):
        with pytest.raises(ValueError, match="rates must be"):
            branch_surface(task, states, np.array(rates), ONE_STEP, KEY)
    end = States(states.runs, np.array([2]))
    with pytest.raises(ValueError, match="nothing is left to branch into"):
        branch_surface(task, end, GRID, ONE_STEP, KEY)
    with pytest.raises(ValueError, match="a horizon must be >= 1 epoch, got 0"):
        Branching(horizon=0)
    with pytest.raises(ValueError, match="rounds must be >= 1, got 0"):
        Branching(rounds=0)
