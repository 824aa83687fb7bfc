"""Hypergradients: slopes against differences of whole trainings, and a descent along them."""

import numpy as np
import pytest

import psi
from psi.atlas.training import Plan
from psi.fit.feedback import descent
from psi.fit.feedback.descent import CUT, begun, descended, steepness
from psi.fit.feedback.family import Family
from psi.fit.feedback.objective import importance, objective
from psi.fit.feedback.pool import losses, scored, slopes
from psi.fit.feedback.search import SearchConfig, search

INPUTS = ("v_above", "v_step")


@pytest.mark.slow
def test_slopes_are_differences_of_whole_trainings(pool) -> None:
    family = Family(psi.load("adam"), INPUTS)
    shape = pool.entries[0].shape
    # Under ReLU losses have kinks at every step, and differences say nothing.
    smooth = [e.shape == shape and e.task.activation != "relu" for e in pool.entries]
    few = pool.take(np.flatnonzero(smooth)[:4])
    names, seeds, step = family.constants, np.array([3, 4]), 1e-2
    at = family.start.copy()
    at[[names.index(name) for name in ("level", "v_step", "v_above")]] = -2.0, 0.3, -0.3
    some = [names.index(name) for name in ("level", "v_step", "leak")]
    directions = np.eye(len(at))[some]
    plan = Plan("adam", family.policy(), validates=True)
    lanes = np.concatenate([at[None], at + step * directions, at - step * directions])
    middle, *ends = losses(few, plan, lanes, seeds).T
    wanted = (np.stack(ends[:3]) - np.stack(ends[3:])).T / (2 * step)
    loss, slope = slopes(few, plan._replace(slopes=True), at, directions, seeds)
    assert loss == pytest.approx(middle, rel=1e-4)
    assert slope == pytest.approx(wanted, rel=0.05, abs=2e-3)
    assert np.abs(wanted).max() > 0.02


def test_steepness_is_the_derivative_of_the_score(pool) -> None:
    few = pool.take(np.arange(5))
    floor, span, step = few.floor, few.chance - few.floor, 1e-4
    for share in (0.01, 0.5, 1.9):
        loss = floor + share * span
        ends = scored(few, np.stack([loss + step * span, loss - step * span], axis=1))
        wanted = (ends[:, 0] - ends[:, 1]) / (2 * step * span)
        assert steepness(few, loss) == pytest.approx(wanted, rel=1e-3)
    for share in (-0.1, 2.1):
        assert not steepness(few, floor + share * span).any()


def test_importance_is_the_derivative_of_the_objective() -> None:
    regret = np.random.default_rng(0).normal(size=37)
    step = 1e-6 * np.eye(37)
    both = objective(np.concatenate([regret + step, regret - step]).T)
    assert importance(regret) == pytest.approx((both[:37] - both[37:]) / 2e-6, rel=1e-5)


def test_one_task_moves_a_descent_by_no_more_than_its_cut(pool, monkeypatch) -> None:
    few, seen = pool.take(np.arange(3)), []
    slope = np.array([[1e9, 0.0], [1e-3, 0.0], [0.0, 1e-3]])
    monkeypatch.setattr(descent, "slopes", lambda *_: (few.reference, slope))
    monkeypatch.setattr(descent, "steepness", lambda *_: np.ones(3))
    monkeypatch.setattr(descent, "scored", lambda own, _: own.reference[:, None] + [[3], [2], [1]])

    class Adam:
        def init(self, _):
            return ()

        def update(self, gradient, state):
            seen.append(np.asarray(gradient))
            return -gradient, state

    monkeypatch.setattr(descent.optax, "adam", lambda _: Adam())
    after, regret = descended(
        begun(2),
        few,
        Plan("adam", Family(psi.load("adam")).policy()),
        np.zeros(2),
        np.eye(2),
        np.array([0]),
    )
    weight = importance(np.array([3.0, 2.0, 1.0]))
    assert seen[0] == pytest.approx([weight[0] * CUT + weight[1] * 1e-3, weight[2] * 1e-3])
    assert np.asarray(after.z) == pytest.approx(-seen[0])
    assert regret == pytest.approx(2.0)


@pytest.mark.slow
def test_a_descent_goes_downhill_and_to_the_same_bits_again(pool, tmp_path) -> None:
    family = Family(psi.load("adam"), INPUTS)
    train = pool.take(~pool.validation).take(np.arange(12))
    held = tuple(name for name in family.constants if name != "level")
    config = SearchConfig(
        generations=6, lanes=6, inputs=INPUTS, method="gradient", held=held, seed=1
    )
    begin = family.start.copy()
    begin[0] = -3.0  # a rate that is far too low: it has to rise
    found = search(train, family, begin, config, tmp_path / "a")
    assert (np.diff(found.centres[:, 0]) > 0).all()
    assert (found.centres[:, 1:] == begin[1:]).all()
    again = search(train, family, begin, config, tmp_path / "b")
    np.testing.assert_array_equal(found.centres, again.centres)
