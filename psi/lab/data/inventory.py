"""What a data set holds, task by task."""

from pathlib import Path

import numpy as np
import pandas as pd

from psi.lab.data import store

COLUMNS = ("task", "run", "family", "epoch", "lr", "val_loss", "outcome")


def inventory(folder: Path) -> pd.DataFrame:
    """One row a task: runs, families, lowest and highest rate, shares of outcomes, losses.

    `best` is the lowest validation loss at the end of a run. Holds one part in memory at a time.
    """
    every = pd.concat(_part(frame) for frame in store.frames_of(folder, COLUMNS))
    groups = every.groupby("task", sort=False)
    counts = groups[["runs", "converged", "exhausted", "diverged"]].sum()
    criterion = store.read_tasks(folder).set_index("task").criterion
    table = pd.DataFrame(
        {
            "runs": counts.runs,
            "families": groups.families.agg(lambda sets: len(frozenset().union(*sets))),
            "min_lr": groups.min_lr.min(),
            "max_lr": groups.max_lr.max(),
            "converged": counts.converged / counts.runs,
            "diverged": counts.diverged / counts.runs,
            "criterion": criterion.loc[counts.index],
            "best": groups.best.min(),
        }
    )
    return table.reset_index()


def _part(frame: pd.DataFrame) -> pd.DataFrame:
    last = frame[frame.epoch == frame.epoch.max()]
    outcome = last.outcome.value_counts()
    best = np.fmin.reduce(last.val_loss.to_numpy())
    return pd.DataFrame(
        {
            "task": [frame.task.iloc[0]],
            "runs": [len(last)],
            "families": [frozenset(last.family)],
            "min_lr": [float(frame.lr.min())],
            "max_lr": [float(frame.lr.max())],
            **{name: [int(count)] for name, count in outcome.items()},
            "best": [float(best)],
        }
    )
