"""A data set's own tasks, trained again: their probed scales, and the regret of formulas there.

A formula schedules whole trainings of every task, from the pilot's seeds, so that it shares
initialisations and batch orders with the schedule it is compared with: the best peak among the
pilot's linear ones. Its regret is the score of its mean final loss minus that schedule's, nats.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Key

from psi.fit.closed import Fitted
from psi.fit.config import FitConfig
from psi.fit.formula.formula import Candidate, Formula
from psi.fit.search.arena import Arena, arena
from psi.fit.search.finalists import Rounds, compete, intervals, rates_over
from psi.fit.search.objective import TrainingTask
from psi.ideal.returns import cap, capped, score
from psi.lab.data.config import PILOT_SEEDS
from psi.lab.data.generate import read_config
from psi.lab.data.kept import kept
from psi.lab.data.sweep import task_key, task_of
from psi.lab.data.trajectories import pilot_family
from psi.lab.engine.probe import probed_scale
from psi.lab.engine.seeds import TUNING
from psi.lab.tasks.task import Task, TaskFacts
from psi.law.law import FittedConstant, Range, Score
from psi.progress import Bar, no_bar

PROBES = TUNING.array(8)
SEEDS = TUNING.array(PILOT_SEEDS)


def rebuilt(
    folder: Path, optimizer: str | None, held_out: Sequence[str] = ()
) -> list[tuple[Task, Key[Array, ""]]]:
    """The tasks under an optimizer (None: under each) of all domains but `held_out`.

    Each with the root of its keys in the data set. Raises ValueError where the folder has no
    config.
    """
    data = read_config(folder)
    every = (
        (task_of(data, number), task_key(data.seed, number))
        for number, spec in enumerate(data.specs())
        if optimizer in (None, spec.hyper.optimizer)
    )
    return [(task, key) for task, key in every if task.facts.domain not in held_out]


def probed_scales(folder: Path, optimizer: str | None, bar: Bar = no_bar) -> dict[str, float]:
    """α_0 of each task by its name: the median over 8 initialisations.

    Raises ValueError where no probe of a task finds a curvature.
    """
    scales, tasks = {}, rebuilt(folder, optimizer)
    with bar("probing scales") as update:
        for done, (task, key) in enumerate(tasks):
            update(done, len(tasks), task.name)
            found = kept("scale", lambda: [probed_scale(task, PROBES, key)])[0]  # noqa: B023
            if not np.isfinite(found).any():
                raise ValueError(f"no probe of {task.name} has found a curvature: it has no scale")
            scales[task.name] = float(np.nanmedian(found))
        update(len(tasks), len(tasks), "")
    return scales


def reference(records: pd.DataFrame, task: str, facts: TaskFacts) -> float:
    """Score of the best peak of a task's pilot with linear schedules.

    Raises ValueError where the records hold none.
    """
    pilot = records[(records.task == task) & (records.family == pilot_family("linear"))]
    if pilot.empty:
        raise ValueError(f"the records hold no linear pilot of {task} to compare schedules with")
    last = pilot[pilot.epoch == pilot.epoch.max()].set_index("run").val_loss.astype(float)
    peak = pilot[pilot.epoch == 0].set_index("run").lr
    losses = capped(last.to_numpy(), facts.chance_loss, cap(facts.network))
    means = pd.Series(losses, last.index).groupby(peak.loc[last.index]).mean()
    return float(score(means.to_numpy(), facts.floor, facts.chance_loss).min())


def schedule_regrets(
    formulas: Sequence[Formula],
    fitted: Sequence[np.ndarray],
    domain: tuple[Range, ...],
    folder: Path,
    config: FitConfig,
    records: pd.DataFrame,
    held_out: Sequence[str] = (),
    bar: Bar = no_bar,
) -> Float[np.ndarray, "task formula"]:
    """Regret of each formula on each training task, with features clipped to `domain`.

    `fitted`: the constants as they are searched. Rates are not clipped to those of a law.
    """
    candidates = [Candidate(*each) for each in zip(formulas, fitted, strict=True)]
    every = arena_of(candidates, domain, folder, config, records, held_out)
    with bar("training under the formulas") as report:
        vectors = [constants[None] for constants in fitted]
        return every.regrets(range(len(formulas)), vectors, SEEDS, report)


def arena_of(
    candidates: Sequence[Candidate],
    domain: tuple[Range, ...],
    folder: Path,
    config: FitConfig,
    records: pd.DataFrame,
    held_out: Sequence[str] = (),
) -> Arena:
    """The data set's own training tasks, each beside its pilot's best linear schedule."""
    tasks = [
        TrainingTask(task, reference(records, task.name, task.facts), key)
        for task, key in rebuilt(folder, config.optimizer, held_out)
    ]
    return arena(candidates, tasks, config.names, domain, config.scaled, tasks[0].key)


def polished(
    fitted: Fitted,
    folder: Path,
    config: FitConfig,
    records: pd.DataFrame,
    held_out: Sequence[str] = (),
    rounds: Rounds | None = None,
    bar: Bar = no_bar,
) -> Fitted:
    """A fitted formula with the constants at which whole trainings end best (`compete`).

    Its intervals are over tasks, its range of rates all that Ψ can be in its domain. Raises
    ValueError for a law that is no formula, or has no constant or more than 8.
    """
    law, candidate = fitted.law, fitted.candidate
    if candidate is None:
        raise ValueError(f"only a formula can be polished, got kind {config.kind}")
    every = arena_of([candidate], law.domain, folder, config, records, held_out)
    with bar("searching on whole trainings") as report:
        best = compete(every, [0], rounds or Rounds(), report)[0]
        ends = (best.found, *intervals(every, best)) if len(every.tasks) > 1 else ()
    formula = candidate.formula
    # Of one task alone nothing is known of others: no intervals.
    rows = zip(formula.names, *(formula.constants(each) for each in ends), strict=True)
    law = replace(
        law,
        model=formula.bound(best.found),
        rates=rates_over(formula, best.found, law.features, law.domain),
        constants=tuple(FittedConstant(name, *map(float, each)) for name, *each in rows if each),
        scores=(
            *law.scores,
            Score("regret on the training tasks, fitted to ideal rates", float(best.fitted)),
            Score("regret on the training tasks, polished", float(best.polished)),
        ),
    )
    return fitted._replace(law=law, candidate=candidate._replace(start=best.found))
