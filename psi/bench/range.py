"""What the rate of a range test is worth, beside the best constant rate of the same task.

On each task `psi.suggest_lr` tests the training with its defaults. Constant rates are tuned on
seeds 0–4, over a grid that is extended until the best is inside it; the suggested rate and the
tuned one are then held to the end of the budget from seeds 100–109. What the suggestion gives away
is the difference of their scores y = log(clip(L̄ − L*, 0, 2Δ) + 0.01 Δ), L̄ the final validation
loss.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from psi.bench.baselines.measured import tested
from psi.ideal.returns import capped, score
from psi.lab.engine import seeds
from psi.lab.engine.interior import interior
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.hyper import Hyper
from psi.lab.optimizers import bounds
from psi.lab.tasks.names import Spec
from psi.lab.tasks.table import spec_task
from psi.lab.tasks.task import Task
from psi.progress import Report, silent

OPTIMIZERS = "sgd", "momentum", "adam"
SPECS: tuple[Spec, ...] = (
    Spec("wine", Hyper()),
    Spec("wine", Hyper(width=64)),
    Spec("iris", Hyper()),
    Spec("breast_cancer", Hyper()),
    Spec("digits", Hyper(network="linear")),
    Spec("digits", Hyper(epochs=10, width=128)),
    Spec("diabetes", Hyper()),
    Spec("diabetes", Hyper(width=64, depth=2)),
    Spec("teacher-0", Hyper()),
    Spec("teacher-1", Hyper(width=64, batch=16)),
    Spec("teacher-2-fixed", Hyper()),
    Spec("gaussian_mixture-0", Hyper()),
    Spec("gaussian_mixture-1", Hyper(epochs=40)),
    Spec("ill_conditioned-0", Hyper()),
    Spec("moons-0", Hyper()),
    Spec("moons-1", Hyper(batch=8, activation="tanh")),
)
RATES = 9  # of the grid before it is extended


class Worth(NamedTuple):
    """A task, the rate that its range test suggests and the best constant one."""

    optimizer: str
    task: str
    suggested: float | None
    """None where the range test suggests no rate."""
    tuned: float
    loss_suggested: float | None
    """Final validation loss at the suggested rate, mean over seeds, each at most twice chance."""
    loss_tuned: float
    given_away: float | None
    """Score at the suggested rate minus that at the tuned one [nats of the excess loss]."""
    reason: str

    @property
    def ratio(self) -> float | None:
        """The suggested rate over the tuned one."""
        return None if self.suggested is None else self.suggested / self.tuned


def bench_range(quick: bool = False, report: Report = silent) -> list[Worth]:
    """Measure every task with every optimizer; `quick`: two tasks with one of them."""
    asked = [(s, o) for s in SPECS for o in OPTIMIZERS]
    asked = asked[:: len(asked) - 1] if quick else asked
    found = []
    for done, (spec, optimizer) in enumerate(asked):
        task = spec_task(spec, optimizer)
        report(done, len(asked), f"{task.name}, {optimizer}")
        found.append(worth(task, jax.random.key(0)))
    report(len(asked), len(asked), "")
    return found


def worth(task: Task, key: Key[Array, ""]) -> Worth:
    """Test, tune and score one task."""
    found = tested(task, key)

    def scores(grid: Float[np.ndarray, " rate"]) -> Float[np.ndarray, "one rate"]:
        return _score(task, _losses(task, grid, seeds.TUNING.array(5), key))[None]

    grid, tuning = interior(scores, np.geomspace(*bounds(task.facts.optimizer), RATES), 3, 20)
    tuned = float(grid[tuning[0].argmin()])
    rates = np.array([tuned] if found.lr is None else [tuned, found.lr])
    losses = _losses(task, rates, seeds.SCORING.array(10), key)
    y = _score(task, losses)
    none = found.lr is None
    return Worth(
        task.facts.optimizer, task.name, found.lr, tuned, None if none else float(losses[-1]),
        float(losses[0]), None if none else float(y[-1] - y[0]), found.reason,
    )  # fmt: skip


def summary(found: Sequence[Worth]) -> dict[str, dict[str, float]]:
    """What is given away and how far the rates are apart, by optimizer and over all of them."""
    groups = {name: [w for w in found if w.optimizer == name] for name in OPTIMIZERS}
    groups = {name: group for name, group in groups.items() if group}
    return {name: _summary(group) for name, group in {**groups, "all": list(found)}.items()}


def _summary(group: Sequence[Worth]) -> dict[str, float]:
    ratios = np.array([w.ratio for w in group if w.ratio is not None])
    given = np.array([w.given_away for w in group if w.given_away is not None])
    apart = np.exp(np.abs(np.log(ratios)))
    low, middle, high = np.quantile(ratios, (0.1, 0.5, 0.9)) if len(ratios) else [np.nan] * 3
    figures = {
        "tasks": len(group), "suggested": len(ratios), "ratio_10%": low, "ratio_median": middle,
        "ratio_90%": high, "within_2": np.mean(apart <= 2), "within_4": np.mean(apart <= 4),
        "above_tuned": np.mean(ratios > 1), "given_away_mean": given.mean(),
        "given_away_median": np.median(given),
    }  # fmt: skip
    return {name: round(float(value), 3) for name, value in figures.items()}


def cells(worth: Worth) -> list[str]:
    """The row of a table: optimizer, task, rates, their ratio, losses, what is given away."""
    numbers = (
        worth.suggested, worth.tuned, worth.ratio, worth.loss_suggested, worth.loss_tuned,
        worth.given_away,
    )  # fmt: skip
    return [worth.optimizer, worth.task, *("none" if n is None else f"{n:.2g}" for n in numbers)]


COLUMNS = "optimizer", "task", "suggested", "tuned", "ratio", "loss", "loss, tuned", "given away"


def _losses(
    task: Task, rates: Float[np.ndarray, " rate"], runs: np.ndarray, key: Key[Array, ""]
) -> Float[np.ndarray, " rate"]:
    """Mean final validation loss of each constant rate."""
    plans = np.repeat(rates[:, None], task.facts.epochs, axis=1).astype(np.float32)
    final = np.asarray(population(task, trajectory, plans, runs, key).val_loss[:, :, -1], float)
    return capped(final, task.facts.chance_loss).mean(1)


def _score(task: Task, losses: Float[np.ndarray, " rate"]) -> Float[np.ndarray, " rate"]:
    return score(losses, task.facts.floor, task.facts.chance_loss)
