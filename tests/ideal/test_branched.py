"""Ideal rates by branching: on problems with known answers, and what cannot be asked."""

import jax
import numpy as np
import pandas as pd
import pytest

from psi.ideal.bias import horizon_bias, horizons_of
from psi.ideal.branched import Branching, best_rates, branch_surface
from psi.ideal.continuation import CONSTANT, LINEAR
from psi.ideal.contour import iso_rate
from psi.ideal.iterate import iterate, law_states
from psi.ideal.pool import pooled
from psi.ideal.rate import ideal_rates
from psi.ideal.receding import recede
from psi.lab.engine.branch import States, along, starts
from psi.lab.hyper import Hyper
from psi.lab.tasks.closed_forms import drift_rate, noisy_quadratic_rate
from psi.lab.tasks.noisy_problems import Drift, NoisyQuadratic
from psi.lab.tasks.table import make_task
from psi.law.expression import Apply, Constant, Variable
from psi.law.law import Law, Range
from tests.lab.tasks.exact import greedy_rates

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


def test_a_receding_horizon_of_one_is_greedy_and_ends_where_greedy_ends():
    """G4 in small: 8,192 runs, 20 steps; false alarm below 1e-4 at 5 %."""
    task = make_task("noisy_quadratic_3d", Hyper(epochs=20))
    states = starts(task, np.arange(8192), KEY)
    found = recede(task, states, np.geomspace(0.01, 0.2, 7), ONE_STEP, KEY)
    np.testing.assert_allclose(found.rates, greedy_rates(numbers(task), 20), rtol=0.05)
    assert list(found.ideal.epoch) == list(range(20))
    assert len(found.loss) == 21


@pytest.mark.slow
def test_a_moving_target_wants_a_rate_that_stays():
    """G6: after 25 steps within 5 % of Kalman's gain."""
    task = make_task("drift", Hyper(epochs=25))
    states = starts(task, np.arange(8192), KEY)
    found = recede(task, states, np.geomspace(0.05, 1.0, 8), ONE_STEP, KEY)
    truth = drift_rate(Drift(*(float(a) for a in task.arrays)))
    assert found.rates[15:].mean() == pytest.approx(truth, rel=0.05)


@pytest.mark.slow
def test_longer_horizons_choose_higher_rates_and_end_lower():
    """G4's bias (Wu et al. 2018), measured on fresh seeds."""
    task = make_task("noisy_quadratic_3d", Hyper(epochs=16))
    table = horizon_bias(task, np.geomspace(0.01, 0.2, 7), KEY, (1, 16), LINEAR, 2048)
    rows = table.groupby("horizon").first()
    assert rows.mean_lr[16] > 1.3 * rows.mean_lr[1]
    assert rows.regret[16] == 0
    assert rows.regret_low[1] > 0.02
    assert horizons_of(20) == (1, 2, 4, 8, 16, 20)
    assert horizons_of(16) == (1, 2, 4, 8, 16)
    with pytest.raises(ValueError, match=r"1 … 16.*got \[17\]"):
        horizon_bias(task, GRID, KEY, (17,))


def test_the_mixture_has_a_rate_of_its_own():
    """G3 with two tasks at one loss: the mean loss and the mean log loss want different rates,
    both between those of the tasks."""
    task = make_task("noisy_quadratic", Hyper(epochs=1))
    steep = task._replace(
        arrays=task.arrays._replace(
            curvature=task.arrays.curvature * 4, initial=task.arrays.initial / 4
        )
    )
    how, grid = Branching(1, CONSTANT, 0), np.geomspace(0.01, 1.0, 24)
    surfaces = [
        branch_surface(each, starts(each, np.arange(4096), KEY), grid, how, KEY)
        for each in (task, steep)
    ]
    # ε = 4 for both, σ² = 1: E[h] ε / (E[h²] ε + E[hσ²]/2) with h = 2 and 8
    mean = best_rates(pooled(surfaces))[0]
    assert mean == pytest.approx(5 * 4 / (34 * 4 + 2.5), rel=0.03)
    log = best_rates(pooled(surfaces, log=True))[0]
    alone = [best_rates(each)[0] for each in surfaces]
    assert min(alone) < log < max(alone)
    assert abs(np.log(log / mean)) > 0.02
    with pytest.raises(ValueError, match="pooled only where they share"):
        pooled([surfaces[0], surfaces[1].assign(lr=2 * surfaces[1].lr)])


def test_iso_rate_contours():
    """exp(−x): α = r/ε gains r nats (G9); nothing is said where nothing was tried."""
    task = make_task("exponential_tail", Hyper(epochs=1))
    surface = branch_surface(task, starts(task, np.zeros(1, int), KEY), GRID, ONE_STEP, KEY)
    assert iso_rate(surface, 0.5)[0] == pytest.approx(0.5, rel=0.02)
    assert np.isnan(iso_rate(surface, 2.0)).all()
    assert np.isnan(iso_rate(surface, 0.001)).all()


def test_cells_from_trajectories_of_a_network():
    task = make_task("wine", Hyper(epochs=6))
    plans = np.repeat([[0.05], [2.0]], 6, axis=1)
    states = along(task, plans, np.array([2, 4]), np.arange(4), KEY)
    how = Branching(None, LINEAR, orders=4)
    surface = branch_surface(task, states, np.geomspace(0.01, 3.0, 6), how, KEY)
    ideal = ideal_rates(surface)
    assert list(ideal.horizon) == [4, 2]
    assert list(ideal.epochs) == [6, 6]
    assert set(ideal.runs) == {16}
    assert set(ideal.continuation) == {"linear"}
    np.testing.assert_allclose(ideal.loss, states.loss.mean(1), rtol=1e-6)
    assert np.isfinite(ideal.log_lr_error).all()


def test_one_state_is_resampled_over_its_batch_orders():
    task = make_task("wine", Hyper(epochs=4))
    states = along(task, np.full((1, 4), 0.3), np.array([1]), np.arange(1), KEY)
    surface = branch_surface(task, states, GRID, Branching(2, CONSTANT, orders=8), KEY)
    assert set(surface.groups) == {8}
    assert ideal_rates(surface).sure.dtype == bool


def test_dead_cells_are_left_out_and_none_left_is_no_data():
    task = make_task("wine", Hyper(epochs=4))
    plans = np.array([[0.1] * 4, [1e20] * 4])
    states = along(task, plans, np.array([2, 2]), np.arange(2), KEY)
    how = Branching(1, CONSTANT, orders=2)
    assert set(branch_surface(task, states, GRID, how, KEY).cell) == {0}
    dead = States(jax.tree.map(lambda a: a[1:], states.runs), states.epoch[1:])
    with pytest.raises(ValueError, match="no data: all 1 cells of wine"):
        branch_surface(task, dead, GRID, how, KEY)


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
    with pytest.raises(ValueError, match="rounds >= 1, got 16 and 0"):
        Branching(rounds=0)


@pytest.mark.slow
def test_a_law_labelled_under_itself_settles():
    """On one noisy quadratic greedy is best for every horizon, so the fixed point is α*(ε); begun
    with a law ten times too low."""
    task = make_task("noisy_quadratic", Hyper(epochs=4))

    def law(scale):
        model = Apply("mul", (Constant(float(scale)), Variable("loss_ratio")))
        return Law(model, ("loss_ratio",), (Range(1e-3, 1.0),), Range(1e-3, 1.0), "sgd", 4.0)

    def refit(surface, ideal):
        del surface
        assert isinstance(ideal, pd.DataFrame)
        return law(np.exp(np.log(ideal.lr).mean()))

    rates, seeds = np.geomspace(0.02, 0.9, 6), np.arange(256)
    found = iterate(task, law(0.03), refit, rates, KEY, at=(0, 1), seeds=seeds, orders=1)
    assert found.converged
    assert found.scores[-1] < found.scores[0] - 0.5
    assert 2 <= len(found.scores) <= 7
    states = law_states(task, found.law, np.array([0, 2]), seeds, KEY)
    assert states.loss.shape == (2, 256)
