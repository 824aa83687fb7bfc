"""The regret on domains that a fit has not seen.

Up to twelve domains are left out one at a time, more in twelve folds of whole domains. The figure
of a fit is the mean over domains of the mean regret over their tasks, each from a fit that has seen
no task of the domain, with Student's t over domains for its interval. Two fits are compared by
their differences on the same domains: what makes a domain hard is hard for both.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from psi.fit.scale.linear import Candidate, fit_linear
from psi.fit.scale.regret import regret_at
from psi.fit.scale.tuned import TunedTasks
from psi.ideal.resampling import folds, numbered, student_width

FOLDS = 12
Predictor = Callable[[TunedTasks], Callable[[pd.DataFrame], Float[np.ndarray, " task"]]]
"""Fits tasks; what it returns gives the log rate for each row of facts."""


class Interval(NamedTuple):
    """A mean over domains with its 95 % interval, nats."""

    mean: float
    low: float
    high: float


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
    width = student_width(len(means)) * error_over(means)
    return Interval(float(means.mean()), float(means.mean() - width), float(means.mean() + width))


def error_over(means: Float[np.ndarray, " domain"]) -> float:
    """Standard error of a mean over domains."""
    return float(means.std(ddof=1) / np.sqrt(len(means)))


def compared(
    tasks: TunedTasks, fits: Mapping[str, Predictor], schedule: str = "linear", seed: int = 0
) -> pd.DataFrame:
    """Kinds of fits on the same left-out domains.

    Args:
        tasks: the tasks, of one optimizer and target.
        fits: by name; the first is what the others are compared with.
        schedule: whose regret.
        seed: of the folds.

    Returns:
        A row a fit: fit; regret, low, high; more, more_low, more_high (than the first) [nats].

    Raises:
        ValueError: there are fewer than two domains.
    """
    fold = domain_folds(tasks.domain, seed)
    means = {
        name: domain_means(left_out(tasks, fit, schedule, fold), tasks.domain)
        for name, fit in fits.items()
    }
    first = next(iter(means.values()))
    rows = [(name, *over_domains(m), *over_domains(m - first)) for name, m in means.items()]
    ends = ("", "_low", "_high")
    names = ["regret", "low", "high", *(f"more{end}" for end in ends)]
    return pd.DataFrame(rows, columns=["fit", *names])
