"""The response surface of recorded runs: the return of one epoch by loss, epoch and rate.

Every record is a visit: a run stood at (ε_i, i), took α_i for an epoch and had the training loss
ε_{i+1} after it. Visits are put into bins of log ε, epoch and log α; in each bin that was visited

    return = −log mean(ε_{i+1} − L*),      rate = log mean(ε_i − L*) − log mean(ε_{i+1} − L*),

the mean taken first (ε_i here the training loss before the epoch), and beside them the median of
−log(ε_{i+1} − L*) over single visits, which a few diverged runs do not move. Bins that were not
visited are flagged and left empty; a mean within 3 standard errors of the floor is below
resolution.

Features are raw, (ε, i), or relative, (ε/ε_0, i/T); tables are by task, by domain, or pooled. Where
several tasks meet in a bin each run counts as often as it was there.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from psi.ideal.features import check_features
from psi.ideal.grid import (
    RESAMPLES,
    Binned,
    Grid,
    binned,
    intervals,
    means,
    medians,
    runs_in,
    weights,
)
from psi.ideal.returns import RESOLVED, cap
from psi.law.checks import at_least

Features = Literal["raw", "relative"]
By = Literal["task", "domain", "pooled"]


@dataclass(frozen=True)
class Bins:
    """How fine a surface is. Raises ValueError for a number below 2."""

    loss: int = 10
    """Bins of log ε."""
    epoch: int = 5
    """Bins of the epoch."""
    lr: int = 10
    """Bins of log α."""
    least: int = 8
    """A bin that fewer runs have visited counts as not visited."""

    def __post_init__(self) -> None:
        at_least(self, loss=2, epoch=2, lr=2, least=2)


class Visits(NamedTuple):
    """Records as points of the surface; each shape=(visit,)."""

    loss: Float[np.ndarray, " visit"]
    """ε_i or ε_i/ε_0."""
    epoch: Float[np.ndarray, " visit"]
    """i or i/T."""
    lr: Float[np.ndarray, " visit"]
    before: Float[np.ndarray, " visit"]
    """Excess training loss before the epoch."""
    after: Float[np.ndarray, " visit"]
    """Excess training loss after it, at most twice the loss of chance."""
    run: Int[np.ndarray, " visit"]
    group: np.ndarray
    """The task or domain."""

    def take(self, index: np.ndarray) -> "Visits":
        """The visits at `index` (a mask or positions)."""
        return Visits(*(values[index] for values in self))


def binned_surface(
    records: pd.DataFrame,
    tasks: pd.DataFrame,
    features: Features = "raw",
    by: By = "task",
    bins: Bins | None = None,
    grid: Grid | None = None,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """One row per bin of each group, visited or not; `grid` in place of edges from the visits.

    Columns: by, group, features; the bin's edges (loss_low, loss_high, epoch_low, epoch_high,
    lr_low, lr_high) and its means (loss, epoch, lr); runs, visits, visited; return, rate and
    median, each with its 95 % interval (…_low, …_high). NaN where not visited or below resolution.

    Raises ValueError where the records hold one trajectory only, no rate can be compared then, or
    nothing but networks that have blown up. Runs of one seed share their batches, whatever their
    trajectory: intervals are over runs, and speak of these seeds.
    """
    bins = bins or Bins()
    visits = to_visits(records, tasks, features, by)
    grid = grid or surface_grid(visits, bins, features)
    tables = []
    for name in pd.unique(visits.group):
        table = _table(visits.take(visits.group == name), grid, bins.least, resamples)
        tables.append(table.assign(by=by, group=name, features=features))
    return pd.concat(tables, ignore_index=True)


def to_visits(records: pd.DataFrame, tasks: pd.DataFrame, features: Features, by: By) -> Visits:
    """The records as visits: the state before each epoch, its rate, and the loss after it.

    A visit whose loss afterwards is not finite has the cap of a single run (psi.ideal.returns);
    states above the cap are left out: the network has blown up, and no rate helps it. Raises
    ValueError where no rates can be compared, or every network has blown up.
    """
    if records.groupby(["task", "epoch"], observed=True).lr.nunique().max() < 2:
        raise ValueError(
            "the records hold one trajectory only: what was best is seen where rates differ"
        )
    check_features(tasks, ("task", "domain", "network", "floor", "chance_loss", "epochs"))
    # The candidates of a cell share their prefix: one visit, however many branch off it.
    copies = records.duplicated(["task", "cell", "seed", "epoch"])
    records = records[(records.cell < 0) | (records.epoch >= records.branch) | ~copies]
    facts = tasks.set_index("task")[["domain", "floor", "chance_loss", "epochs", "network"]]
    limits = facts.chance_loss * facts.network.map(cap)
    names = records.task.astype(str)
    floor, limit, epochs = (
        names.map(column).to_numpy(np.float64) for column in (facts.floor, limits, facts.epochs)
    )
    number = records.groupby(["task", "run"], observed=True, sort=False).ngroup().to_numpy()
    loss = records.loss_running.to_numpy(np.float64)
    epoch = records.epoch.to_numpy(np.float64)
    if features == "relative":
        first = np.full(number.max() + 1, np.nan)
        first[number[epoch == 0]] = loss[epoch == 0]
        loss, epoch = loss / first[number], epoch / epochs
    group = {"pooled": None, "task": names, "domain": names.map(facts.domain)}[by]
    visits = Visits(
        loss,
        epoch,
        records.lr.to_numpy(np.float64),
        records.loss_full.to_numpy(np.float64) - floor,
        np.fmin(records.loss_next.to_numpy(np.float64), limit) - floor,
        number,
        np.full(len(records), "all") if group is None else group.to_numpy(dtype=object),
    )
    usable = (visits.loss > 0) & (visits.lr > 0)  # not where it is NaN
    usable &= visits.before <= limit - floor
    if not usable.any():
        raise ValueError("no data: every network of the records has blown up")
    return visits.take(usable)


def surface_grid(visits: Visits, bins: Bins, features: Features) -> Grid:
    """Bins that hold 99 % of the losses, and all epochs and rates."""
    low, high = np.quantile(visits.loss, [0.005, 0.995])
    share = np.arange(bins.epoch + 1) / bins.epoch  # not linspace: i/T must not miss its bin
    epoch = share * (1.0 if features == "relative" else visits.epoch.max() + 1)
    return Grid(
        ("loss", "epoch", "lr"),
        (
            np.geomspace(low, max(high, 1.01 * low), bins.loss + 1),
            epoch if features == "relative" else np.unique(np.round(epoch)),
            np.geomspace(visits.lr.min(), visits.lr.max() * (1 + 1e-9), bins.lr + 1),
        ),
    )


def _table(visits: Visits, grid: Grid, least: int, resamples: int) -> pd.DataFrame:
    """Every bin of one group."""
    number = grid.bins(visits.loss, visits.epoch, visits.lr)
    points = binned(number, visits.after, visits.run, grid.size)
    runs = runs_in(points)
    table = grid.table().assign(
        runs=runs, visits=np.bincount(points.bin, minlength=grid.size), visited=runs >= least
    )
    once = np.ones(len(points.bin))
    for name in grid.names:
        table[name] = means(points, once, getattr(visits, name)[points.order])
    estimates = _estimates(points, visits.before[points.order], resamples)
    for name, values in estimates.items():
        table[name] = np.where(table.visited, values, np.nan)
    return table


def _estimates(
    points: Binned, before: Float[np.ndarray, " point"], resamples: int
) -> dict[str, Float[np.ndarray, " bin"]]:
    """Return, rate and median of every bin, with their intervals."""
    samples = [
        (means(points, w, points.value), means(points, w, before), medians(points, w))
        for w in weights(points, resamples)
    ]
    after, was, middle = (list(each) for each in zip(*samples, strict=True))
    error = intervals(after[1:] or after)[0]
    columns = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        estimates = (
            ("return", [-np.log(a) for a in after]),
            ("rate", [np.log(w) - np.log(a) for w, a in zip(was, after, strict=True)]),
            ("median", [-np.log(m) for m in middle]),
        )
        # The median is a single visit's: it has no mean that could be below resolution.
        resolved = after[0] > RESOLVED * np.nan_to_num(error)
    for name, values in estimates:
        known = (middle[0] > 0) if name == "median" else resolved
        _, low, high = intervals(values[1:] or values)
        for column, each in ((name, values[0]), (f"{name}_low", low), (f"{name}_high", high)):
            columns[column] = np.where(known, each, np.nan)
    return columns
