"""The contest: the loop that users write, tuning that ends inside its grid, honest measures."""

from pathlib import Path

import jax
import numpy as np
import pytest

from psi.bench.contest import SCORING_SEEDS, contest, tune, untuned_rates
from psi.bench.measures import epochs_to, regret, result
from psi.bench.training import SCHEDULES, Curves, Plain, train, with_law, with_schedule
from psi.lab.data.store import read_records, read_tasks
from psi.lab.data.trajectories import pilot_family
from psi.lab.engine.policy import law_policy, trajectory
from psi.lab.engine.population import population
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task
from psi.law.expression import Apply, Constant, Variable
from psi.law.law import Law, Range


class Row:
    def __init__(self, fields):
        self.task: str = fields["task"]
        self.floor: float = fields["floor"]
        self.chance_loss: float = fields["chance_loss"]


KEY = jax.random.key(4)
EPOCHS = 5
LAW = Law(
    Apply("mul", (Constant(0.3), Apply("sub", (Constant(1.0), Variable("progress"))))),
    ("loss_ratio", "progress"),
    (Range(0.01, 1.0), Range(0.0, 0.9)),
    Range(1e-3, 1.0),
    "sgd",
    1.5,
)


@pytest.fixture(scope="module")
def wine():
    return make_task("wine", Hyper(EPOCHS))


def plain(task):
    steps = task.facts.steps * task.facts.epochs
    return lambda lane: with_schedule(task.functions.optimizer, steps, lane)


def test_plain_schedules_step_by_step(wine):
    peak, kinds = 0.2, np.arange(3)
    curves = train(wine, plain(wine), Plain(kinds, np.full(3, peak)), np.arange(2), KEY)
    assert curves.rate.shape == (3, 2, EPOCHS)
    last = np.arange(1, EPOCHS + 1) * wine.facts.steps - 1  # last step of each epoch
    t = last / (EPOCHS * wine.facts.steps)
    expected = {
        "constant": np.full(EPOCHS, peak),
        "linear": peak * (1 - t),
        "cosine": peak * (1 + np.cos(np.pi * t)) / 2,
    }
    for kind, name in enumerate(SCHEDULES):
        np.testing.assert_allclose(curves.rate[kind, 0], expected[name], rtol=1e-5)


def test_the_loop_and_the_engine_train_alike(wine):
    """The same network by two roads: optax adapter in a user's loop, policy in the engine."""
    seeds = np.arange(3)
    loop = train(wine, lambda _: with_law(LAW, wine), np.zeros(1), seeds, KEY)
    policy = population(wine, lambda _: law_policy(LAW, EPOCHS), np.zeros(1), seeds, KEY)
    np.testing.assert_allclose(loop.rate, policy.lr, rtol=1e-6)
    np.testing.assert_allclose(loop.val_loss, policy.val_loss, rtol=2e-4)
    constant = train(wine, plain(wine), Plain(np.zeros(1, int), np.full(1, 0.1)), seeds, KEY)
    fixed = population(wine, trajectory, np.full((1, EPOCHS), 0.1, np.float32), seeds, KEY)
    np.testing.assert_allclose(constant.train_loss, fixed.loss_next, rtol=2e-4)


def test_tuning_extends_the_grid_until_the_best_is_inside(wine):
    grid = np.geomspace(40, 160, 4)  # all too high
    tuned = tune(wine, grid, KEY)
    for each in tuned:
        assert grid.min() / 100 < each.peak < grid.max() * 1000
        assert not np.isclose(each.peak, grid).any()
        assert each.runs > len(grid) * 5


def test_epochs_to_the_criterion():
    loss = np.array([1.0, 0.5, 0.3, 0.4])
    assert epochs_to(loss, 0.5) == 2
    assert epochs_to(loss, 1.0) == 1
    assert epochs_to(loss, 0.1) is None
    assert epochs_to(np.array([np.nan, 0.2]), 0.3) == 2


def made_up(losses, task, name="x", seeds=None):
    losses = np.asarray(losses)[:, None]
    curves = Curves(losses, losses, losses, np.clip(1 - losses, 0, 1))
    seeds = np.arange(len(losses)) if seeds is None else seeds
    return result(name, False, 0, None, seeds, curves, task.facts, 0.25)


def test_a_diverged_seed_is_reported_and_capped(wine):
    row = made_up([0.2, np.nan, 0.3], wine)
    assert row.final_val_losses == [0.2, None, 0.3]
    assert row.epochs_to_criterion == [1, None, None]
    mean = (0.2 + 2 * wine.facts.chance_loss + 0.3) / 3
    assert row.score == pytest.approx(np.log(mean + 0.01 * wine.facts.chance_loss))


def test_regret_is_paired(wine):
    """A constant factor between two methods whose seeds differ widely: the interval is narrow."""
    rng = np.random.default_rng(0)
    base = np.exp(rng.normal(-2, 0.8, 10))
    one, other = made_up(0.9 * base, wine), made_up(base, wine)
    difference = regret(one, other, wine.facts)
    assert difference.low <= difference.mean <= difference.high < 0
    assert difference.high - difference.low < 0.05
    assert regret(one, one, wine.facts) == (0, 0, 0)
    with pytest.raises(ValueError, match="same seeds"):
        regret(one, made_up(base, wine, seeds=np.arange(1, 11)), wine.facts)


def test_contest_has_every_method_on_the_same_fresh_seeds(wine):
    said = []
    rows = contest(
        wine, [("Ψ", LAW)], [0.1, 0.2, 0.3], np.geomspace(0.02, 8, 8), 0.2, KEY,
        lambda *step: said.append(step),
    )  # fmt: skip
    assert [row.name for row in rows] == ["Ψ"] + [
        f"{name}, {how}" for name in SCHEDULES for how in ("untuned", "tuned")
    ]
    for row in rows:
        assert row.seeds == list(SCORING_SEEDS)
        assert len(row.final_val_losses) == len(row.accuracies) == 10
        assert row.tuning_runs == (40 if row.tuned else 0)
    assert [row.peak_rate for row in rows[1::2]] == pytest.approx([0.1, 0.2, 0.3])
    assert said[-1] == (3, 3, "")
    assert rows[0].mean_rates[0] == pytest.approx(0.3)


def test_untuned_rates_are_the_best_single_ones_in_the_records():
    sample = Path(__file__).parents[2] / "data" / "sample"
    records, tasks = read_records(sample), read_tasks(sample)
    rates = untuned_rates(records, tasks)
    for name, rate in zip(SCHEDULES, rates, strict=True):
        means = {}
        runs = records[records.family == pilot_family(name)]
        for peak in np.unique(runs.lr[runs.epoch == 0]):
            scores = []
            for fact in map(Row, tasks.to_dict("records")):
                mine = runs[runs.task == fact.task]
                chosen = mine.run[(mine.epoch == 0) & (mine.lr == peak)]
                last = mine.val_loss[(mine.epoch == 5) & mine.run.isin(chosen)].to_numpy(float)
                loss = np.where(np.isfinite(last), np.minimum(last, 2 * fact.chance_loss),
                                2 * fact.chance_loss).mean()  # fmt: skip
                span = fact.chance_loss - fact.floor
                scores.append(np.log(np.clip(loss - fact.floor, 0, 2 * span) + 0.01 * span))
            means[peak] = np.mean(scores)
        assert rate == pytest.approx(min(means, key=means.__getitem__))
    one = untuned_rates(records, tasks[tasks.task == "wine"])
    assert len(one) == 3
