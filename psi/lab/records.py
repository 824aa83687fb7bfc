"""From runs to rows: the columns of the data contract (data/README.md)."""

import numpy as np
import pandas as pd

from psi.lab.engine import Epochs
from psi.lab.task import Task
from psi.lab.trajectories import Plan

OUTCOMES = ("converged", "exhausted", "diverged")


def to_frame(
    task: Task, plan: Plan, seeds: np.ndarray, runs: Epochs, criterion: float, first_run: int
) -> pd.DataFrame:
    """One row per lane, seed and epoch; `runs` has shape=(lanes, seeds, T).

    outcome: `diverged` where a loss is not finite (`first_bad_epoch` is the first such epoch, else
    −1), `converged` where the validation loss reaches the criterion, else `exhausted`.
    """
    lanes, count, epochs = runs.lr.shape
    runs_in_all = lanes * count
    bad = ~(np.isfinite(runs.loss_next) & np.isfinite(runs.val_loss))
    diverged = bad.any(-1)
    reached = (runs.val_loss <= criterion).any(-1)
    outcome = np.where(diverged, 2, np.where(reached, 0, 1)).reshape(runs_in_all)
    first_bad = np.where(diverged, bad.argmax(-1), -1).reshape(runs_in_all)
    lane, seed = np.divmod(np.arange(runs_in_all), count)
    floor = task.facts.floor

    def per_run(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, epochs)

    rows = {
        "task": pd.Categorical([task.name]).repeat(runs_in_all * epochs),
        "run": per_run(first_run + np.arange(runs_in_all)),
        "family": pd.Categorical(per_run(np.array(plan.family)[lane])),
        "cell": per_run(plan.cell[lane].astype(np.int16)),
        "branch": per_run(plan.branch[lane].astype(np.int16)),
        "seed": per_run(seeds[seed].astype(np.int32)),
        "epoch": np.tile(np.arange(epochs, dtype=np.int16), runs_in_all),
    }
    rows |= {name: values.reshape(-1) for name, values in runs._asdict().items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.log(runs.loss_full - floor) - np.log(runs.loss_next - floor)
    rows["rate"] = rate.reshape(-1)
    rows["outcome"] = pd.Categorical(np.array(OUTCOMES)[per_run(outcome)], OUTCOMES)
    rows["first_bad_epoch"] = per_run(first_bad.astype(np.int16))
    return pd.DataFrame(rows)
