"""Short-horizon bias, measured: what schedules chosen H epochs ahead end at.

For each H a receding horizon (psi.ideal.receding) chooses the rates of one population; the schedule
is then trained on fresh seeds. The shorter H, the lower the rates and the worse the end wherever
directions differ in curvature (Wu et al. 2018, arXiv 1803.02021).
"""

from collections.abc import Sequence

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Key

from psi.ideal.branched import Branching, final_losses
from psi.ideal.continuation import LINEAR, Continuation
from psi.ideal.oracle import SCORING_SEEDS, difference
from psi.ideal.receding import recede
from psi.ideal.returns import score
from psi.lab.engine.branch import play, starts
from psi.lab.engine.policy import trajectory
from psi.lab.engine.seeds import POPULATIONS, TUNING
from psi.lab.tasks.task import Task
from psi.progress import Report, silent

POPULATION = 16
ORDERS = 4
MANY = 8192
"""Runs of a problem without a network: they are cheap, and their losses are noisy."""


def horizons_of(epochs: int) -> tuple[int, ...]:
    """1, 2, 4, … below T, then T."""
    return (*(2**k for k in range(epochs.bit_length()) if 2**k < epochs), epochs)


def horizon_bias(
    task: Task,
    rates: Float[np.ndarray, " rate"],
    key: Key[Array, ""],
    horizons: Sequence[int] = (),
    continuation: Continuation = LINEAR,
    population: int | None = None,
    report: Report = silent,
) -> pd.DataFrame:
    """One row per horizon and epoch.

    Columns: task, horizon (H), continuation, epoch, lr (chosen), lr_low, lr_high, edge, flat, and
    of the whole schedule mean_lr, final_loss, score, regret (score minus that of the longest
    horizon on the same fresh seeds, nats) with regret_low and regret_high.

    The population has 16 runs, each over 4 fresh batch orders, and is scored on 32 seeds; that of a
    problem without a network has 8192 runs along their own batch orders and is scored on as many.
    Raises ValueError for a horizon outside 1 … T.
    """
    epochs = task.facts.epochs
    horizons = tuple(horizons) or horizons_of(epochs)
    if not all(1 <= h <= epochs for h in horizons):
        raise ValueError(f"horizons must be in 1 … {epochs}, the budget, got {list(horizons)}")
    no_network = task.facts.network == "none"
    population = population or (MANY if no_network else POPULATION)
    seeds = POPULATIONS if no_network else TUNING
    states = starts(task, seeds.array(population), key)
    tables = []
    for done, horizon in enumerate(horizons):
        draw = jax.random.fold_in(key, horizon)
        branching = Branching(horizon, continuation, 0 if no_network else ORDERS)
        found = recede(task, states, rates, branching, draw)
        tables.append(found.ideal.assign(horizon=horizon))
        report(done + 1, len(horizons), "horizons")
    fresh = POPULATIONS.array(population, skip=population) if no_network else SCORING_SEEDS
    return _scored(task, horizons, tables, key, fresh)


def _scored(
    task: Task,
    horizons: Sequence[int],
    tables: Sequence[pd.DataFrame],
    key: Key[Array, ""],
    seeds: np.ndarray,
) -> pd.DataFrame:
    lanes = np.stack([table.lr.to_numpy() for table in tables])[None].astype(np.float32)
    length = np.array([task.facts.epochs])
    states = starts(task, seeds, key)
    loss = play(task, states, trajectory, lanes, length).loss
    final = final_losses(task, loss)[0, :, 0]
    longest = int(np.argmax(horizons))
    rows = []
    for k, table in enumerate(tables):
        regret, low, high = difference(final[:, k], final[:, longest], task)
        mean = final[:, k : k + 1].mean(0)
        rows.append(
            table[["task", "horizon", "continuation", "epoch", "lr", "lr_low", "lr_high", "edge",
                   "flat"]].assign(
                mean_lr=table.lr.mean(),
                final_loss=mean[0],
                score=score(mean, task.facts.floor, task.facts.chance_loss)[0],
                regret=regret,
                regret_low=low,
                regret_high=high,
            )
        )  # fmt: skip
    return pd.concat(rows, ignore_index=True)
