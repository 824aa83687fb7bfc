"""How the regret on left-out domains falls with the number of tasks that a fit has seen.

Tasks are drawn at random from the domains that are not left out; a larger draw holds the smaller
ones, so that the steps between sizes are paired. When the last step is small against its interval,
more tasks of the same distribution will not help.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from psi.fit.scale.left_out import domain_folds, domain_means, linear, over_domains
from psi.fit.scale.linear import Candidate
from psi.fit.scale.regret import regret_at
from psi.fit.scale.tuned import TunedTasks
from psi.progress import Report, silent

SIZES = (30, 100, 300, 1000, 3000, 10_000)


def learning_curve(
    tasks: TunedTasks,
    candidate: Candidate,
    sizes: Sequence[int] = SIZES,
    draws: int = 10,
    seed: int = 0,
    report: Report = silent,
) -> pd.DataFrame:
    """The left-out regret of fits to random parts of the tasks, domains out.

    Args:
        tasks: the tasks, of one optimizer and target.
        candidate: what was chosen.
        sizes: numbers of tasks; those that some fold cannot give are left out. The last row is of
            all tasks but the fold's.
        draws: how many times tasks are drawn.
        seed: of the folds and draws.
        report: gets the number of draws done.

    Returns:
        A row a size: tasks (mean number over folds), regret, low, high, and the fall from the row
        before: fall, fall_low, fall_high [nats, 95 % intervals over domains].
    """
    fold, rng = domain_folds(tasks.domain, seed), np.random.default_rng(seed)
    least = len(fold) - np.bincount(fold).max()
    sizes = [*(size for size in sorted(sizes) if size < least), len(fold)]
    regret = np.zeros((len(sizes), len(fold)))
    for done in range(draws):
        report(done, draws, "")
        order = rng.permutation(len(fold))
        for k in np.unique(fold):
            out = fold == k
            seen = order[~out[order]]
            for row, size in enumerate(sizes):
                fit = linear(candidate)(tasks.take(seen[:size]))
                curve = tasks.curves[candidate.schedule].take(out)
                regret[row, out] += regret_at(curve, fit(tasks.facts[out])) / draws
    report(draws, draws, "")
    means = np.array([domain_means(row, tasks.domain) for row in regret])
    most = len(fold) - np.mean(np.bincount(fold))
    rows = []
    for k, size in enumerate(sizes):
        fall = over_domains(means[k - 1] - means[k]) if k else (np.nan,) * 3
        rows.append((min(size, round(most)), *over_domains(means[k]), *fall))
    names = ["regret", "low", "high", "fall", "fall_low", "fall_high"]
    return pd.DataFrame(rows, columns=["tasks", *names])
