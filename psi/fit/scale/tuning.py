"""Break-even: what an atlas costs, against the runs of tuning that a law from it saves.

Whoever tunes without a law tries k rates of the usual grid, that of all tasks, and keeps the best.
With the regrets of its n rates sorted, r_1 ≤ … ≤ r_n, and k different ones drawn at random, the
best is expected to lose

    Σ_j r_j C(n − j, k − 1) / C(n, k).

A law saves as many runs as it takes until this is no more than what the law loses on domains that
it has not seen. The tuner here sees means over seeds, not single runs, which saves it some.
"""

from math import comb

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.fit.scale.left_out import domain_means, over_domains
from psi.fit.scale.table import Atlas
from psi.fit.scale.tuned import TunedTasks


def best_of(regret: Float[np.ndarray, "task rate"], runs: int) -> Float[np.ndarray, " task"]:
    """The expected regret of the best of so many different rates.

    Example:
        >>> best_of(np.array([[0.0, 3.0, 9.0]]), 2).tolist()  # 0, 0 and 3, each with 1/3
        [1.0]
    """
    n = regret.shape[1]
    chance = [comb(n - j, runs - 1) / comb(n, runs) for j in range(1, n + 1)]
    return np.sort(regret, axis=1) @ np.array(chance)


def regret_by_runs(tasks: TunedTasks, schedule: str = "linear") -> pd.DataFrame:
    """What tuning over the atlas's grid loses, by the number of runs.

    Args:
        tasks: the tasks, of one optimizer and target.
        schedule: that is tuned.

    Returns:
        A row a number of runs: runs, regret, low, high [nats, 95 % intervals over domains].
    """
    # The first and last two knots are beyond the grid; of its rates, some may be an extension's.
    regret = tasks.curves[schedule].coefficients[-1, 2:-1][tasks.usual].T
    rows = [
        (k, *over_domains(domain_means(best_of(regret, k), tasks.domain)))
        for k in range(1, regret.shape[1] + 1)
    ]
    return pd.DataFrame(rows, columns=["runs", "regret", "low", "high"])


def runs_saved(by_runs: pd.DataFrame, regret: float) -> int:
    """The fewest runs of tuning that lose no more than `regret`; all there are if none do."""
    enough = by_runs.runs[by_runs.regret <= regret]
    return int(enough.min()) if len(enough) else int(by_runs.runs.max())


def break_even(atlas: Atlas, optimizer: str, saved: int) -> float:
    """After how many tasks the runs saved are as many as the atlas's trainings of an optimizer."""
    own = atlas.runs[atlas.runs.optimizer == optimizer]
    return float(own.seeds.sum()) / saved
