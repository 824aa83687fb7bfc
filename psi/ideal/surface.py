"""The response surface: the return as a function of (ε, i, α).

A cell of branched runs starts from one random prefix and one epoch i; its candidate rates α go
linearly to zero from there (the continuation, part of what is estimated). The return of a
candidate is, with L̄ the mean over seeds of the validation loss at the end,

    return = −y,   y = log(clip(L̄ − L*, 0, 2Δ) + 0.01 Δ),   Δ = L_chance − L*,

the mean taken before the log. Diverged runs count with the loss 2 L_chance, so that a rate which
diverges from one seed in many is bad, not infinitely bad.
"""

from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Float

DIVERGED = 2.0  # times the chance loss
RESOLUTION = 0.01  # of Δ: below it two losses count as one
RESAMPLES = 200

Losses: TypeAlias = Float[np.ndarray, "..."]
"""One mean loss or many, in nats."""


def score(loss: Losses, floor: Losses | float, chance: Losses | float) -> Losses:
    """The score y = log(clip(L̄ − L*, 0, 2Δ) + 0.01 Δ), in nats, of a mean loss."""
    span = chance - floor
    return np.asarray(np.log(np.clip(loss - floor, 0, 2 * span) + RESOLUTION * span))


def capped(loss: Losses, chance: Losses | float) -> Losses:
    """Losses of single runs, at most 2 L_chance; a diverged run's is that."""
    return np.fmin(loss, DIVERGED * chance)


def response_surface(records: pd.DataFrame, tasks: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """One row per task, cell and candidate rate, from the branched runs of a data set.

    Columns: task, domain, cell, epoch (i), horizon (T), loss (ε_i, mean over seeds of the running
    loss, nats), initial_loss (ε_0), lr (α_i), runs, final_loss (L̄), return, and `resampled`, the
    return under 200 bootstrap resamples of the seeds (shared by the candidates of a cell: they
    are compared on the same batch orders). Cells whose prefix diverged have no finite ε_i and
    are left out.

    Raises ValueError where the records hold no branched run.
    """
    branched = records[records.cell >= 0]
    if branched.empty:
        raise ValueError("the records hold no branched run (cell >= 0): no surface can be made")
    facts = {row.task: row for row in tasks.itertuples()}
    rng = np.random.default_rng(seed)
    start = branched[branched.epoch == branched.branch]
    start = start.set_index(["task", "run"])
    first = branched[branched.epoch == 0].set_index(["task", "run"]).loss_running
    # NaN is what a diverged run ends with: pandas would pass over it to the last finite loss.
    last = branched.groupby(["task", "run"], observed=True).val_loss.last(skipna=False)
    runs = start.assign(initial_loss=first, final_loss=last).reset_index()
    groups = [
        _cell(group, facts[group.task.iloc[0]], rng)
        for _, group in runs.groupby(["task", "cell"], observed=True)
        if np.isfinite(group.loss_running).all()
    ]
    return pd.concat(groups, ignore_index=True)


def _cell(runs: pd.DataFrame, facts: Any, rng: np.random.Generator) -> pd.DataFrame:
    table = runs.pivot(index="lr", columns="seed", values="final_loss")
    final = capped(table.to_numpy(np.float64), facts.chance_loss)
    pick = rng.integers(0, final.shape[1], (RESAMPLES, final.shape[1]))
    resampled = -score(final[:, pick].mean(-1), facts.floor, facts.chance_loss)
    return pd.DataFrame(
        {
            "task": facts.task,
            "domain": facts.domain,
            "cell": runs.cell.iloc[0],
            "epoch": runs.epoch.iloc[0],
            "horizon": facts.epochs,
            "loss": runs.loss_running.astype(float).mean(),
            "initial_loss": runs.initial_loss.astype(float).mean(),
            "lr": table.index.to_numpy(np.float64),
            "runs": final.shape[1],
            "final_loss": final.mean(1),
            "return": -score(final.mean(1), facts.floor, facts.chance_loss),
            "resampled": list(resampled),
        }
    )
