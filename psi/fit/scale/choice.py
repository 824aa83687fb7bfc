"""Which facts, which penalty, which schedule: chosen by the regret on domains left out whole.

Up to twelve domains are left out one at a time, more in twelve folds of whole domains. The figure
of a candidate is the mean over domains of the mean regret over their tasks, each from a fit that
has seen no task of the domain, with Student's t over domains for its interval.

The penalty and the schedule of each set of facts are those of the least figure. Between the sets
the fewest constants are taken whose figure is within one standard error of the least, the error
that of the difference between the two over domains: a fact that the user has to give must be worth
something elsewhere (the rule: Breiman et al. 1984, Classification and Regression Trees, 3.4.3). The
figure of what was chosen is too good by having been chosen; `nested_regret` chooses for each domain
by all others.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from psi.fit.scale.facts import SETS, FactSet
from psi.fit.scale.linear import Candidate, fit_linear
from psi.fit.scale.regret import regret_at
from psi.fit.scale.table import SCHEDULES, TunedTasks
from psi.ideal.resampling import folds, numbered, student_width
from psi.progress import Report, silent

FOLDS = 12
PENALTIES = (1e-3, 1e-2, 1e-1)
Predictor = Callable[[TunedTasks], Callable[[pd.DataFrame], Float[np.ndarray, " task"]]]
"""Fits tasks; what it returns gives the log rate for each row of facts."""


class Interval(NamedTuple):
    """A mean over domains with its 95 % interval, nats."""

    mean: float
    low: float
    high: float


class Choice(NamedTuple):
    """What was chosen, and what it was chosen from."""

    candidate: Candidate
    table: pd.DataFrame
    """A row a candidate: facts, constants, penalty, schedule, regret with low and high, chosen."""
    by_domain: Float[np.ndarray, "candidate domain"]
    """Left-out regret of each candidate on each domain, nats."""


def domain_folds(domain: np.ndarray, seed: int = 0) -> Int[np.ndarray, " task"]:
    """The fold of each task: whole domains, at most twelve folds.

    Raises ValueError of fewer than two domains.
    """
    number = numbered(domain)
    count = int(number.max()) + 1
    if count < 2:
        raise ValueError(f"leaving domains out needs at least 2 of them, got {count}")
    return folds(count, FOLDS, np.random.default_rng(seed))[number]


def left_out(
    tasks: TunedTasks, fit: Predictor, schedule: str, fold: Int[np.ndarray, " task"]
) -> Float[np.ndarray, " task"]:
    """The regret on each task of a fit to the tasks of all other folds [nats]."""
    regret = np.empty(len(fold))
    for k in np.unique(fold):
        out = fold == k
        log_rate = fit(tasks.take(~out))(tasks.facts[out])
        regret[out] = regret_at(tasks.curves[schedule].take(out), log_rate)
    return regret


def linear(candidate: Candidate) -> Predictor:
    """The power law of a candidate, to be left out."""
    return lambda tasks: fit_linear(tasks, candidate).log_rates


def domain_means(
    values: Float[np.ndarray, " task"], domain: np.ndarray
) -> Float[np.ndarray, " domain"]:
    """The mean over each domain's tasks, in the order of the domains' names."""
    number = numbered(domain)
    return np.bincount(number, values) / np.bincount(number)


def over_domains(means: Float[np.ndarray, " domain"]) -> Interval:
    """The mean over domains and Student's interval.

    Example:
        >>> [round(x, 2) for x in over_domains(np.array([0.0, 1.0, 2.0]))]
        [1.0, -1.48, 3.48]
    """
    width = student_width(len(means)) * _error(means)
    return Interval(float(means.mean()), float(means.mean() - width), float(means.mean() + width))


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
    """The regret on each domain of what the other domains would have chosen."""
    means = choice.by_domain
    others = [np.delete(means, d, axis=1) for d in range(means.shape[1])]
    picked = [_chosen(tried, each) for each in others]
    return over_domains(means[picked, np.arange(means.shape[1])])


def _chosen(tried: Sequence[Candidate], means: Float[np.ndarray, "candidate domain"]) -> int:
    figure = means.mean(1)
    best = int(figure.argmin())
    within = [
        k for k in range(len(tried)) if figure[k] - figure[best] <= _error(means[k] - means[best])
    ]
    return min(within, key=lambda k: (tried[k].facts.constants, figure[k]))


def _error(means: Float[np.ndarray, " domain"]) -> float:
    """Standard error of a mean over domains."""
    return float(means.std(ddof=1) / np.sqrt(len(means)))
