"""From training tasks to closed forms: references, labels, fits, and a search over whole trainings.

For each optimizer, for Ψ as a rate (pure) and as scale × shape (scaled):

1. the tuned plain schedules of every training task, and the best single rate over all tasks;
2. ideal rates to the end of the budget, from states along good and bad trajectories;
3. the table of families and a symbolic search fitted to them, tasks held out;
4. the best few of these polished on the outcome of whole trainings, first all of them for some
   generations, then the better half for the rest; the best on fresh seeds is the law.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Key

from experiments.closed_forms.tasks import TRAINING
from psi.fit.formula.curves import Curve, fit_curves, simplest
from psi.fit.formula.families import SIZED, families
from psi.fit.formula.formula import Candidate
from psi.fit.formula.points import Points, points_of
from psi.fit.search.arena import Arena, arena
from psi.fit.search.finalists import Rounds
from psi.fit.search.objective import TrainingTask
from psi.fit.symbolic.config import SymbolicConfig
from psi.fit.symbolic.front import Front
from psi.fit.symbolic.regression import symbolic_regression
from psi.ideal.labelling import Labelling, label_task
from psi.ideal.oracle import plain_scores
from psi.lab.data.trajectories import PLAIN
from psi.lab.engine.devices import beside
from psi.lab.engine.probe import probed_scale
from psi.lab.engine.seeds import TUNING
from psi.lab.optimizers import bounds
from psi.lab.tasks.names import Spec
from psi.lab.tasks.table import spec_task
from psi.lab.tasks.task import Task
from psi.law.expression import evaluate
from psi.law.law import Range

PROBES = TUNING.array(16)
ALWAYS = ("loss_power*polynomial*size_power", "loss_power*polynomial*size_power*warmup")
"""Families that are polished whatever their fit to labels: the closest kin of a plain schedule
that see the loss and the network's size."""
FITTED = tuple(
    each.name
    for each in families(SIZED)
    if each.name in ALWAYS or (each.name.endswith("size_power") and "step" not in each.name)
)
MOST_CONSTANTS = 6
SAME = 0.02  # nats

Note = Callable[[str], None]


@dataclass(frozen=True)
class StudyConfig:
    """How large the study is."""

    tasks: tuple[Spec, ...] = TRAINING
    labelling: Labelling = field(default_factory=Labelling)
    symbolic: SymbolicConfig = field(default_factory=SymbolicConfig)
    families: tuple[str, ...] = FITTED
    """Names of the families that are fitted: with the network's size, of those with a warm-up one,
    of those with steps none (they are searched from nine times as many starts)."""
    curves: int = 3
    """Families that go on from their fit to labels to the search."""
    rounds: Rounds = field(default_factory=Rounds)
    """The searches on whole trainings."""
    seed: int = 0


class Data(NamedTuple):
    """What is measured on the training tasks before any fit."""

    tasks: tuple[Task, ...]
    plain: pd.DataFrame
    """task, schedule, lr, score: the plain schedules over a grid of peak rates."""
    ideal: pd.DataFrame
    """Ideal rates, with the task's probed `scale`."""

    def training(self, key: Key[Array, ""]) -> tuple[TrainingTask, ...]:
        """Each task, the score of its tuned linear schedule, and the root of its keys."""
        best = self.plain[self.plain.schedule == "linear"].groupby("task").score.min()
        return tuple(TrainingTask(task, float(best.loc[task.name]), key) for task in self.tasks)

    @property
    def single_rates(self) -> pd.DataFrame:
        """schedule, lr: the best single rate of each plain schedule for all training tasks."""
        every = self.plain.assign(key=np.log(self.plain.lr).round(6))
        means = every.groupby(["schedule", "key"]).agg(
            lr=("lr", "first"), score=("score", "mean"), tasks=("task", "nunique")
        )
        common = means[means.tasks == every.task.nunique()]
        best = common.loc[common.groupby("schedule").score.idxmin()]
        return best.reset_index()[["schedule", "lr", "score"]]


class Fits(NamedTuple):
    """Fits to the ideal rates."""

    curves: list[Curve]
    front: Front


def measure(config: StudyConfig, optimizer: str, report: Note) -> Data:
    """References, labels and scales of the training tasks."""
    key = jax.random.key(config.seed)
    tasks = [spec_task(spec, optimizer) for spec in config.tasks]
    found = []
    made = beside(partial(_rows, config.labelling, key), enumerate(tasks))
    for task, rows in zip(tasks, made, strict=True):
        report(f"measured {task.name}")
        found.append(rows)
    plain, ideal = (pd.concat(each, ignore_index=True) for each in zip(*found, strict=True))
    return Data(tuple(tasks), plain, ideal)


def _rows(
    config: Labelling, root: Key[Array, ""], numbered: tuple[int, Task]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of one task in the two tables of Data."""
    number, task = numbered
    key = jax.random.fold_in(root, number)  # prefixes of its own: epoch and past rate are crossed
    grid, scores = plain_scores(task, bounds(task.facts.optimizer), key)
    plain = [
        {"task": task.name, "schedule": name, "lr": lr, "score": score}
        for (name, _), row in zip(PLAIN, scores, strict=True)
        for lr, score in zip(grid, row, strict=True)
    ]
    scale = float(np.nanmedian(probed_scale(task, PROBES, key)))
    facts = {"scale": scale, "task": task.name, "parameters": float(task.facts.parameters)}
    return pd.DataFrame(plain), label_task(task, config, key).assign(**facts)


def fit(config: StudyConfig, data: Data, scaled: bool, report: Note) -> Fits:
    """Families and symbolic search, fitted to the ideal rates."""
    points = points_of(data.ideal, SIZED, scaled)
    named = [each for each in families(SIZED) if each.name in config.families]
    table = [each for each in named if len(each.formula.parameters) <= MOST_CONSTANTS]
    curves = fit_curves(table, points, config.seed, lambda *step: report(f"fitting {step[-1]}"))
    front = symbolic_regression(points, config.symbolic, report=lambda *step: report(step[-1]))
    return Fits(curves, front)


def candidates_of(config: StudyConfig, fits: Fits, points: Points) -> list[Candidate]:
    """What goes on to the search: few, and different."""
    always = [curve for curve in fits.curves if curve.family.name in ALWAYS]
    candidates: list[Candidate] = []
    for curve in [*always, simplest(fits.curves), *fits.curves]:
        candidate = Candidate(curve.family.formula, curve.fitted, curve.family.name)
        if len(candidates) < config.curves and _is_new(candidate, candidates, points):
            candidates.append(candidate)
    row = fits.front.chosen
    few = 1 <= len(row.fitted) <= MOST_CONSTANTS
    symbolic = Candidate(row.formula, row.fitted) if few else None
    new = symbolic is not None and _is_new(symbolic, candidates, points)
    return [*candidates, symbolic] if symbolic and new else candidates


def _is_new(candidate: Candidate, others: Sequence[Candidate], points: Points) -> bool:
    """Whether its rates differ from those of all others: a factor may have become 1."""

    def log_rate(candidate: Candidate) -> np.ndarray:
        rate = evaluate(candidate.formula.bound(candidate.start), points.names, points.values, np)
        return np.log(np.broadcast_to(rate, points.log_rate.shape))

    return all(np.abs(log_rate(candidate) - log_rate(other)).max() > SAME for other in others)


def domain_of(data: Data) -> tuple[Range, Range, Range]:
    """The ranges of ε/ε_0, i/T and P among the labels; a loss above 2 ε_0 is no place to be."""
    ratio = data.ideal.loss / data.ideal.initial_loss
    progress = data.ideal.epoch / data.ideal.epochs
    last = max(1 - 1 / task.facts.epochs for task in data.tasks)
    return (
        Range(float(max(ratio.min(), 1e-4)), float(min(max(ratio.max(), 1.0), 2.0))),
        Range(float(progress.min()), float(last)),
        Range(float(data.ideal.parameters.min()), float(data.ideal.parameters.max())),
    )


def study_arena(config: StudyConfig, data: Data, candidates: Sequence[Candidate]) -> Arena:
    """Where all kinds compete, pure and scaled: they share their compiled programs."""
    key = jax.random.key(config.seed + 1)
    return arena(candidates, data.training(key), SIZED, domain_of(data), False, key)


def content(config: StudyConfig) -> dict[str, object]:
    """The config as JSON values."""
    fields = asdict(config)
    fields["tasks"] = [[spec.name, vars(spec.hyper)] for spec in config.tasks]
    return fields
