"""From runs to rows: the columns of the data contract (data/README.md)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from psi.lab.data.trajectories import Plan
from psi.lab.engine.population import RECORDED, Epochs
from psi.lab.tasks.task import Task

OUTCOMES = ("converged", "exhausted", "diverged")


def to_frame(
    task: Task,
    plan: Plan,
    lane: Int[np.ndarray, " run"],
    seed: Int[np.ndarray, " run"],
    number: Int[np.ndarray, " run"],
    runs: Epochs,
    criterion: float,
) -> pd.DataFrame:
    """One row per run and epoch; `runs` has shape=(runs, T), `number` is the column `run`.

    outcome: `diverged` where a loss is not finite (`first_bad_epoch` is the first such epoch, else
    −1), `converged` where the validation loss reaches the criterion, else `exhausted`.
    """
    count, epochs = runs.lr.shape
    bad = ~(np.isfinite(runs.loss_next) & np.isfinite(runs.val_loss))
    diverged = bad.any(-1)
    reached = (runs.val_loss <= criterion).any(-1)
    outcome = np.where(diverged, 2, np.where(reached, 0, 1))
    first_bad = np.where(diverged, bad.argmax(-1), -1)
    names, family = np.unique(np.array(plan.family)[lane], return_inverse=True)

    def per_run(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, epochs)

    rows = {
        "task": _categories(np.zeros(count * epochs, np.int8), [task.name]),
        "run": per_run(number),
        "family": _categories(per_run(family), names),
        "cell": per_run(plan.cell[lane].astype(np.int16)),
        "branch": per_run(plan.branch[lane].astype(np.int16)),
        "seed": per_run(seed.astype(np.int32)),
        "epoch": np.tile(np.arange(epochs, dtype=np.int16), count),
    }
    rows |= {name: getattr(runs, name).reshape(-1) for name in RECORDED}
    floor = task.facts.floor
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.log(runs.loss_full - floor) - np.log(runs.loss_next - floor)
    rows["rate"] = rate.reshape(-1)
    rows["outcome"] = _categories(per_run(outcome), OUTCOMES)
    rows["first_bad_epoch"] = per_run(first_bad.astype(np.int16))
    return pd.DataFrame(rows)


def _categories(codes: np.ndarray, names: Sequence[str] | np.ndarray) -> Any:
    make: Any = pd.Categorical.from_codes  # its stubs know no array of codes
    return make(codes, pd.Index(list(names)))
