"""The founding question's surface: time, accuracy and reliability over epoch and rate.

Of all runs whose rate in epoch i was α: how many epochs (and steps) they took until the task's
criterion was met, how good they were on the test split in the end, and what share of them met the
criterion at all. The three are never merged. A run that never met the criterion takes infinitely
long: where that is more than half of them, the median time is too, and is given as such. Runs that
branch off one prefix are resampled together.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.ideal.binned import Bins
from psi.ideal.features import check_features
from psi.ideal.grid import Binned, Grid, binned, intervals, means, medians, runs_in, weights


def outcome_surface(
    records: pd.DataFrame, tasks: pd.DataFrame, bins: Bins | None = None
) -> pd.DataFrame:
    """One row per task and bin of (i, α), visited or not.

    Columns: task, the bin's edges (epoch_low, epoch_high, lr_low, lr_high), runs, visited; time
    (median epochs until the criterion was met; inf where most runs never did), steps (the same in
    updates), accuracy (mean of test accuracy in the end), reliability (share of runs that met the
    criterion), each with its 95 % interval; NaN where not visited. A diverged run keeps the
    accuracy it was left with, R² is at least 0. A task without a criterion (every rate of its
    pilot diverged) has no time and no reliability, NaN. Raises ValueError where the task table
    lacks a feature.
    """
    check_features(tasks, ("task", "epochs", "steps", "criterion"))
    bins, tables = bins or Bins(), []
    for fact in tasks.to_dict("records"):
        own = records[records.task == fact["task"]]
        if own.empty:
            continue
        table = _table(own, fact["criterion"], fact["epochs"], bins)
        if not np.isfinite(fact["criterion"]):
            table.loc[:, table.columns.str.match("time|reliability")] = np.nan
        for column in ("time", "time_low", "time_high"):
            table[column.replace("time", "steps")] = table[column] * fact["steps"]
        tables.append(table.assign(task=fact["task"]))
    return pd.concat(tables, ignore_index=True)


def _table(records: pd.DataFrame, criterion: float, epochs: int, bins: Bins) -> pd.DataFrame:
    number = records.groupby("run", observed=True).ngroup().to_numpy()
    alone = records.run.where(records.cell < 0, -1)  # runs of one cell and seed belong together
    family = records.assign(alone=alone).groupby(["cell", "seed", "alone"]).ngroup().to_numpy()
    epoch = records.epoch.to_numpy(np.float64)
    met = records.val_loss.to_numpy() <= criterion
    time = np.full(number.max() + 1, np.inf)  # epochs until the criterion is first met
    np.minimum.at(time, number[met], epoch[met] + 1)
    last = epoch == epochs - 1
    accuracy = np.full(len(time), np.nan)
    accuracy[number[last]] = records.test_accuracy.to_numpy(np.float64)[last]
    lr = records.lr.to_numpy(np.float64)
    tried = lr > 0
    grid = Grid(
        ("epoch", "lr"),
        (
            np.unique(np.round(np.linspace(0, epochs, bins.epoch + 1))),
            np.geomspace(lr[tried].min(), lr.max() * (1 + 1e-9), bins.lr + 1),
        ),
    )
    where = grid.bins(epoch, np.where(tried, lr, 0.0))
    points = binned(where, time[number], family, grid.size)
    runs = runs_in(binned(where, time[number], number, grid.size))
    table = grid.table().assign(runs=runs, visited=runs_in(points) >= bins.least)
    for name, values in _estimates(points, accuracy[number][points.order]).items():
        table[name] = np.where(table.visited, values, np.nan)
    return table


def _estimates(
    points: Binned, accuracy: Float[np.ndarray, " point"]
) -> dict[str, Float[np.ndarray, " bin"]]:
    met = np.isfinite(points.value).astype(float)
    known = np.clip(np.nan_to_num(accuracy, nan=0.0), 0, 1)  # R² has no lower bound
    samples = [
        (medians(points, w), means(points, w, known), means(points, w, met))
        for w in weights(points)
    ]
    names = ("time", "accuracy", "reliability")
    columns = {}
    for name, values in zip(names, zip(*samples, strict=True), strict=True):
        low, high = _range(values[1:]) if name == "time" else intervals(values[1:])[1:]
        columns |= {name: values[0], f"{name}_low": low, f"{name}_high": high}
    return columns


def _range(
    samples: tuple[Float[np.ndarray, " bin"], ...],
) -> tuple[Float[np.ndarray, " bin"], Float[np.ndarray, " bin"]]:
    """Percentiles without interpolation: some of the times are infinite."""
    table = np.sort(np.where(np.isnan(samples), np.inf, samples), axis=0)
    last = len(table) - 1
    return table[int(np.floor(0.025 * last))], table[int(np.ceil(0.975 * last))]
