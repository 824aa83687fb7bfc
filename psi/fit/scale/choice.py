"""Which facts, which penalty, which schedule: chosen by the regret on domains left out whole.

The penalty and the schedule of each set of facts are those of the least figure. Between the sets
the fewest constants are taken whose figure is within one standard error of the least, the error
that of the difference between the two over domains: a fact that the user has to give must be worth
something elsewhere (the rule: Breiman et al. 1984, Classification and Regression Trees, 3.4.3). The
figure of what was chosen is too good by having been chosen; `nested_regret` chooses for each domain
by all others.
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.fit.scale.facts import SETS, FactSet
from psi.fit.scale.left_out import (
    Interval,
    domain_folds,
    domain_means,
    error_over,
    left_out,
    linear,
    over_domains,
)
from psi.fit.scale.linear import Candidate
from psi.fit.scale.tuned import SCHEDULES, TunedTasks
from psi.progress import Report, silent

PENALTIES = (1e-3, 1e-2, 1e-1)


class Choice(NamedTuple):
    """What was chosen, and what it was chosen from."""

    candidate: Candidate
    table: pd.DataFrame
    """A row a candidate: facts, constants, penalty, schedule, regret with low and high, chosen."""
    by_domain: Float[np.ndarray, "candidate domain"]
    """Left-out regret of each candidate on each domain, nats."""


def candidates(
    sets: Sequence[FactSet] = SETS,
    penalties: Sequence[float] = PENALTIES,
    schedules: Sequence[str] = SCHEDULES,
) -> list[Candidate]:
    """Every set of facts with every penalty and schedule; one rate has nothing to be held."""
    every = product(sets, penalties, schedules)
    return [Candidate(*each) for each in every if each[0].facts or each[1] == penalties[0]]


def choose(
    tasks: TunedTasks,
    tried: Sequence[Candidate] | None = None,
    seed: int = 0,
    report: Report = silent,
) -> Choice:
    """The candidate to take, by left-out domains.

    Args:
        tasks: the tasks, of one optimizer and target.
        tried: what to choose from; by default every set of `SETS`, penalty and schedule.
        seed: of the folds.
        report: gets the number of candidates done.

    Returns:
        The choice with all figures.

    Raises:
        ValueError: there are fewer than two domains.
    """
    tried = candidates() if tried is None else list(tried)
    fold, rows = domain_folds(tasks.domain, seed), []
    for done, each in enumerate(tried):
        report(done, len(tried), each.facts.name)
        regret = left_out(tasks, linear(each), each.schedule, fold)
        rows.append(domain_means(regret, tasks.domain))
    report(len(tried), len(tried), "")
    by_domain = np.array(rows)
    table = pd.DataFrame({
        "facts": [each.facts.name for each in tried],
        "constants": [each.facts.constants for each in tried],
        "penalty": [each.penalty for each in tried],
        "schedule": [each.schedule for each in tried],
    })  # fmt: skip
    table[["regret", "low", "high"]] = [over_domains(means) for means in by_domain]
    chosen = _chosen(tried, by_domain)
    table["chosen"] = np.arange(len(tried)) == chosen
    return Choice(tried[chosen], table, by_domain)


def nested_regret(choice: Choice, tried: Sequence[Candidate]) -> Interval:
    """The regret on each domain of what the other domains would have chosen.

    The fits by which these chose have seen that domain where it is in another fold: the choice is
    left out, not every fit behind it.
    """
    means = choice.by_domain
    others = [np.delete(means, d, axis=1) for d in range(means.shape[1])]
    picked = [_chosen(tried, each) for each in others]
    return over_domains(means[picked, np.arange(means.shape[1])])


def _chosen(tried: Sequence[Candidate], means: Float[np.ndarray, "candidate domain"]) -> int:
    figure = means.mean(1)
    best = int(figure.argmin())
    error = [error_over(row - means[best]) for row in means]
    within = [k for k in range(len(tried)) if figure[k] <= figure[best] + error[k]]
    return min(within, key=lambda k: (tried[k].facts.constants, figure[k]))
