"""What each run of a suite came to: its losses at the end, and what it took to the criterion.

The reference of a task is its tuned schedule: of constant, linear and cosine the one that was best
on the tuning seeds, scored on others. The criterion of a task is a validation loss, known before
anything is scored: that of a score 0.1 above the reference's y on the tuning seeds,

    L* + exp(y + 0.1) − 0.01 Δ

A run that never gets there took infinitely long. Time is counted in epochs, in gradient steps, in
operations and in seconds. A minibatch's gradient counts as 6 · P · batch operations: a
multiplication and an addition per parameter and row, forward once and backward twice, as in dense
layers. What a rule measures before training counts as gradients too; what it computes beside
gradients does not count, nor do the losses that a line search tries.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.bench.baselines import SCHEDULES
from psi.bench.baselines.calibrated import CALIBRATED
from psi.bench.contestants import OWN, PSI, TUNED
from psi.bench.running import SECONDS
from psi.bench.tuning import ORACLE
from psi.ideal.returns import RESOLUTION
from psi.lab.data import store

REFERENCE = "tuned reference"
MARGIN = 0.1  # nats above the reference's score
OPERATIONS = 6
KEYS = ["optimizer", "task", "method"]
NAMES = ("name", "domain")
FACTS = ("floor", "chance_loss", "tuning_score", "tuning_runs", "gradients", "steps", "parameters",
         "batch", "stream", "train_loss", "val_loss", "accuracy", "test_loss")  # fmt: skip


def final_runs(folder: Path) -> pd.DataFrame:
    """The last epoch of every run, a row each, with the reference of each task as a method.

    Methods that bring their own optimizer are there under each optimizer. Beside the records'
    columns: the `kind` of method, `seconds` of one training, its `epochs`, the `criterion`,
    `epochs_to`, `steps_to`, `operations_to` and `seconds_to` it (infinite: never), and all
    `operations` with tuning. What older folders lack is NaN.

    Raises ValueError where there are no records, or no tuned schedules to compare with.
    """
    runs = store.arrow_records(folder).to_pandas(strings_to_categorical=True)
    runs = runs.reindex(columns=[*KEYS, *NAMES, "seed", "epoch", *FACTS])
    last = runs.groupby(KEYS, observed=True).epoch.transform("max")
    ends = runs[runs.epoch == last].rename(columns={"epoch": "epochs"})
    ends = ends.astype(dict.fromkeys(("optimizer", "method", *NAMES), str))
    ends = _kinds(_everywhere(_timed(ends.assign(epochs=ends.epochs + 1), folder)))
    chosen = _chosen(ends, folder)
    criteria = chosen[["optimizer", "task", "criterion"]]
    ends = ends.merge(criteria, on=["optimizer", "task"], how="left")
    ends = _reached(ends, runs)
    return _costs(pd.concat([ends, _references(ends, chosen)], ignore_index=True))


class Made(NamedTuple):
    """What a table says it is of."""

    suite: str = ""
    digest: str = ""
    """SHA-256 of the list of tasks."""
    tasks: int = 0
    entry: int = 0
    """In the ledger of the sealed suite."""


def made_of(folder: Path) -> Made:
    """What the runs of a folder are of."""
    config = store.config_of(folder)
    return Made(**{name: config[name] for name in Made._fields if name in config})


def left_out(ends: pd.DataFrame) -> dict[str, int]:
    """Methods without a row, as they did not run on every task: `optimizer: method` → tasks."""
    found = {}
    for optimizer, own in ends.groupby("optimizer"):
        ran = own.groupby("method").task.nunique()
        few = ran[ran < own.task.nunique()]
        found |= {f"{optimizer}: {method}": int(count) for method, count in few.items()}
    return found


def _timed(ends: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """With the seconds of one training, where they were measured."""
    path = folder / SECONDS
    if not path.exists():
        return ends.assign(seconds=np.nan)
    seconds = pd.read_csv(path).drop_duplicates(KEYS, keep="last")
    return ends.merge(seconds[[*KEYS, "seconds"]], on=KEYS, how="left")


def _everywhere(ends: pd.DataFrame) -> pd.DataFrame:
    """Rows that bring their own optimizer, under each of the others, of whose L* they are."""
    ends = ends.assign(own=ends.optimizer == OWN)
    own, under = ends[ends.own], ends[~ends.own]
    floors = under.groupby(["optimizer", "task"]).floor.first()
    copies = [
        own[own.task.isin(floors.loc[name].index)].assign(
            optimizer=name, floor=lambda rows, name=name: rows.task.map(floors.loc[name])
        )
        for name in sorted(set(under.optimizer))
    ]
    return pd.concat([under, *copies], ignore_index=True)


def _kinds(ends: pd.DataFrame) -> pd.DataFrame:
    """With the kind of each method."""
    keys = [*zip(ends.method, ends.tuning_runs > 0, strict=True)]
    kinds = {key: kind(*key) for key in set(keys)}
    return ends.assign(kind=[kinds[key] for key in keys])


def kind(method: str, searched: bool) -> str:
    """tuned, calibrated, search, oracle, law or rule, from a method's name.

    `searched`: it took runs on the task.
    """
    if method.startswith(PSI):
        return "law"
    if method.endswith(TUNED):
        return "tuned"
    if method.endswith(CALIBRATED):
        return "calibrated"
    if method == ORACLE.name:
        return "oracle"
    return "search" if searched else "rule"


def _chosen(ends: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The tuned schedule of each task that was best on the tuning seeds, and the criterion."""
    tuned = ends[ends.method.isin([name + TUNED for name in SCHEDULES])].drop_duplicates(KEYS)
    if tuned.empty:
        wanted = ", ".join(f"'{name}{TUNED}'" for name in SCHEDULES)
        raise ValueError(f"{folder} holds no tuned schedule to compare with: run {wanted}")
    pair = ["optimizer", "task"]
    # A task is compared when all is there: the best of a part is no reference.
    schedules = tuned.groupby(pair).method.transform("nunique")
    tuned = tuned[schedules == tuned.groupby("optimizer").method.transform("nunique")]
    best = tuned.sort_values("tuning_score", kind="stable").drop_duplicates(pair)
    best = best.drop(columns="tuning_runs").merge(
        tuned.groupby(pair).tuning_runs.sum().reset_index(), on=pair
    )
    excess = np.exp(best.tuning_score + MARGIN) - RESOLUTION * (best.chance_loss - best.floor)
    return best[[*KEYS, "tuning_runs"]].assign(criterion=best.floor + excess)


def _references(ends: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Runs of the chosen schedules under the reference's name, charged with tuning all three."""
    runs = ends.drop(columns="tuning_runs").merge(chosen[[*KEYS, "tuning_runs"]], on=KEYS)
    return runs.assign(method=REFERENCE, kind="reference")


def _reached(ends: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """With the epochs trained until the validation loss was first at or below the criterion."""
    found = []
    for optimizer, own in ends.groupby("optimizer"):
        criteria = own.groupby("task").criterion.first()
        under = runs[runs.optimizer.isin([optimizer, OWN])]
        met = under[under.val_loss <= under.task.map(criteria)]
        met = met.assign(own=met.optimizer == OWN)
        first = met.groupby(["own", "task", "method", "seed"], observed=True).epoch.min() + 1
        found.append(own.join(first.rename("epochs_to"), on=["own", "task", "method", "seed"]))
    return pd.concat(found, ignore_index=True).fillna({"epochs_to": np.inf})


def _costs(ends: pd.DataFrame) -> pd.DataFrame:
    """With what runs took to the criterion, and to the end with all runs of tuning."""
    gradient = OPERATIONS * ends.parameters * ends.batch
    steps_to, measured = ends.steps * ends.epochs_to, ends.gradients.fillna(0)
    trainings = ends.steps * ends.epochs * (1 + ends.tuning_runs)
    return ends.assign(
        steps_to=steps_to,
        operations_to=gradient * (steps_to + measured),
        seconds_to=ends.seconds * ends.epochs_to / ends.epochs,
        operations=gradient * (trainings + measured),
    )


def means(ends: pd.DataFrame) -> pd.DataFrame:
    """Means over domains of what single runs came to; a run that diverged counts with 0."""
    values = ends.assign(
        accuracy=ends.accuracy.fillna(0).clip(lower=0),
        reliability=np.isfinite(ends.epochs_to),
        below_chance=ends.val_loss < ends.chance_loss,
    )
    columns = ["accuracy", "reliability", "below_chance", "tuning_runs"]
    each = values.groupby(["method", "domain", "task"])[columns].mean()
    return each.groupby(["method", "domain"]).mean().groupby("method").mean()


def medians(ends: pd.DataFrame) -> pd.DataFrame:
    """Weighted medians over runs, in which domains weigh equally and so do the tasks of each."""
    columns = ["epochs_to", "steps_to", "operations_to", "seconds_to", "operations"]
    seeds = ends.groupby(["method", "task"]).seed.transform("size")
    tasks = ends.groupby(["method", "domain"]).task.transform("nunique")
    weighted = ends.assign(weight=1 / (seeds * tasks)).groupby("method")
    return pd.DataFrame.from_dict(
        {
            name: [
                _median(own[column].to_numpy(float), own.weight.to_numpy()) for column in columns
            ]
            for name, own in weighted
        },
        orient="index",
        columns=columns,
    )


def _median(values: Float[np.ndarray, " run"], weights: Float[np.ndarray, " run"]) -> float:
    """The least value that half of the weight is at or below; NaN where one is unknown."""
    if np.isnan(values).any():
        return np.nan
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2 * (1 - 1e-12))])
