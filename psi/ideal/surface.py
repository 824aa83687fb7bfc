"""The response surface of branched runs: what each candidate rate of each cell was worth.

A cell of the records starts from one random prefix and one epoch i; its candidate rates α go
linearly to zero from there, so H = T − i. What candidates are worth is in psi.ideal.returns.
"""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.ideal.features import check_features
from psi.ideal.resampling import bootstrap
from psi.ideal.returns import cap, capped, returned, score
from psi.lab.tasks.task import TaskFacts

GROUPS = 64  # at most so many are resampled
RESAMPLES = 200


def response_surface(records: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """One row per task, cell and candidate rate, from the branched runs of a data set.

    Columns: those of `candidates`. Cells whose prefix diverged have no finite ε_i and are left out.
    Raises ValueError where the records hold no branched run, or none with a finite loss.
    """
    branched = records[records.cell >= 0]
    if branched.empty:
        raise ValueError("the records hold no branched run (cell >= 0): no surface can be made")
    check_features(tasks, ("task", "domain", "network", "floor", "chance_loss", "epochs"))
    facts = {row.task: row for row in tasks.itertuples()}
    start = branched[branched.epoch == branched.branch].set_index(["task", "run"])
    first = branched[branched.epoch == 0].set_index(["task", "run"]).loss_running
    # NaN is what a diverged run ends with: pandas would pass over it to the last finite loss.
    last = branched.groupby(["task", "run"], observed=True).val_loss.last(skipna=False)
    runs = start.assign(initial_loss=first, final_loss=last).reset_index()
    groups = [
        _cell(group, facts[group.task.iloc[0]])
        for _, group in runs.groupby(["task", "cell"], observed=True)
        if np.isfinite(group.loss_running).all()
    ]
    if not groups:
        raise ValueError("no data: the prefix of every branched cell has diverged")
    return pd.concat(groups, ignore_index=True)


def _cell(runs: pd.DataFrame, facts: Any) -> pd.DataFrame:
    table = runs.pivot(index="lr", columns="seed", values="final_loss")
    rates = table.index.to_numpy(np.float64)
    losses = capped(table.to_numpy(np.float64).T, facts.chance_loss, cap(facts.network))
    epoch = int(runs.epoch.iloc[0])
    return candidates(facts, facts.task, rates, losses).assign(
        cell=runs.cell.iloc[0],
        epoch=epoch,
        horizon=facts.epochs - epoch,
        continuation="linear",
        loss=runs.loss_running.astype(float).mean(),
        initial_loss=runs.initial_loss.astype(float).mean(),
    )


def candidates(
    facts: TaskFacts | Any,
    task: str,
    rates: Float[np.ndarray, " rate"],
    losses: Float[np.ndarray, "group rate"],
) -> pd.DataFrame:
    """The candidates of one cell, from the capped loss of each run (or group's mean) under each.

    Columns: task, domain, epochs (T), floor, chance_loss, lr (α_i), runs (groups), final_loss (L̄),
    score, return (NaN below resolution), groups (at most 64, what is resampled) and `resampled`, L̄
    under 200 bootstrap resamples of the groups, which the candidates share. `facts` is a task's, or
    its row of the task table.
    """
    parts = np.array_split(losses, min(len(losses), GROUPS))
    means = np.stack([part.mean(0) for part in parts])
    pick = bootstrap(len(parts), RESAMPLES, np.random.default_rng(0))
    mean, error = losses.mean(0), losses.std(0) / np.sqrt(len(losses))
    return pd.DataFrame(
        {
            "task": task,
            "domain": facts.domain,
            "epochs": facts.epochs,
            "floor": facts.floor,
            "chance_loss": facts.chance_loss,
            "lr": rates,
            "runs": len(losses),
            "final_loss": mean,
            "score": score(mean, facts.floor, facts.chance_loss),
            "return": returned(mean, error, facts.floor, facts.chance_loss),
            "groups": len(parts),
            "resampled": list(means[pick].mean(1).T),
        }
    )
