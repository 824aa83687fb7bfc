"""A contest on one task: tuning that ends inside its grid, every method on the same fresh seeds."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.bench.baselines import BASELINES, SCHEDULES, Baseline
from psi.bench.contest import SCORING_SEEDS, contest, tune, untuned_rates
from psi.lab.data.store import read_records, read_tasks
from psi.lab.data.trajectories import pilot_family
from psi.lab.engine.policy import Policy
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task
from tests.bench.cases import law


class Row:
    def __init__(self, fields):
        self.task: str = fields["task"]
        self.floor: float = fields["floor"]
        self.chance_loss: float = fields["chance_loss"]


KEY = jax.random.key(4)
EPOCHS = 5
GRID = np.geomspace(0.02, 8, 8)
PLAIN = tuple(BASELINES[name] for name in SCHEDULES)
LAW = law("0.3*(1 - progress)")


@pytest.fixture(scope="module")
def wine():
    return make_task("wine", Hyper(EPOCHS))


def halving(peak, budget):
    """Reduce-on-plateau without patience: half the rate where the loss has not fallen."""
    del budget

    def step(state, seen):
        rate, last = state
        rate = jnp.where(seen.loss < last, rate, rate / 2)
        return (rate, seen.loss), rate

    return Policy(lambda seen: (peak, jnp.full_like(seen.loss, jnp.inf)), step)


HALVING = Baseline("halving", halving)
BASELINES.add(HALVING)


def test_tuning_extends_the_grid_until_the_best_is_inside(wine):
    grid = np.geomspace(40, 160, 4)  # all too high
    tuned = tune(wine, PLAIN, grid, KEY)
    for each in tuned:
        assert each.peak_rate is not None
        assert grid.min() / 100 < each.peak_rate < grid.max() * 1000
        assert not np.isclose(each.peak_rate, grid).any()
        assert each.tuning_runs > len(grid) * 5


def test_contest_has_every_method_on_the_same_fresh_seeds(wine):
    reports = []
    untuned = dict(zip(SCHEDULES, (0.1, 0.2, 0.3), strict=True))
    rows = contest(
        wine, [("Ψ", LAW)], untuned, GRID, 0.2, KEY, lambda *report: reports.append(report)
    )
    assert [row.name for row in rows] == ["Ψ"] + [
        f"{name}, {kind}" for name in SCHEDULES for kind in ("untuned", "tuned")
    ]
    for row in rows:
        assert row.seeds == list(SCORING_SEEDS)
        assert len(row.final_val_losses) == len(row.accuracies) == 10
        assert row.tuning_runs == (40 if row.tuned else 0)
    assert [row.peak_rate for row in rows[1::2]] == pytest.approx([0.1, 0.2, 0.3])
    assert reports[-1] == (3, 3, "")
    assert rows[0].mean_rates[0] == pytest.approx(0.3)


def test_a_rule_that_reacts_to_the_loss_is_tuned_and_scored_like_a_schedule(wine):
    """Its row's rates are means over seeds of rates that only ever halve, from the tuned peak."""
    grid = np.geomspace(0.005, 0.05, 4)  # all too low
    rows = contest(wine, [], {"halving": 0.005}, grid, 0.2, KEY, baselines=("halving",))
    untuned, tuned = rows
    assert [row.name for row in rows] == ["halving, untuned", "halving, tuned"]
    assert (untuned.peak_rate, untuned.tuning_runs) == (0.005, 0)
    assert tuned.peak_rate is not None
    assert tuned.peak_rate > grid[-1]
    assert tuned.tuning_runs > len(grid) * 5
    assert tuned.seeds == list(SCORING_SEEDS)
    assert tuned.score < untuned.score
    rates = np.array(tuned.mean_rates, float)
    assert rates[0] == pytest.approx(tuned.peak_rate)
    assert (np.diff(rates) <= 0).all()
    assert (rates >= tuned.peak_rate / 2 ** np.arange(EPOCHS) - 1e-6).all()


def test_an_unknown_baseline_is_refused(wine):
    with pytest.raises(ValueError, match=r"baseline 'plateau'; closest of .* reduce_on_plateau"):
        contest(wine, [], {}, GRID, 0.2, KEY, baselines=("linear", "plateau"))


def test_untuned_rates_are_the_best_single_ones_in_the_records():
    sample = Path(__file__).parents[2] / "data" / "sample"
    records, tasks = read_records(sample), read_tasks(sample)
    rates = untuned_rates(records, tasks)
    assert tuple(rates) == SCHEDULES
    for name, rate in rates.items():
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
    assert tuple(one) == SCHEDULES
