"""Networks larger than all that a scale was fitted to: what its power law loses on each."""

import pandas as pd

from psi.fit.scale.linear import Candidate, fit_linear
from psi.fit.scale.regret import regret_at
from psi.fit.scale.tuned import TunedTasks

LARGE = 150_000.0
"""Weights from which on a network is left out."""


def on_larger(tasks: TunedTasks, candidate: Candidate, large: float = LARGE) -> pd.DataFrame:
    """The regret of a fit to the networks below `large` weights on every other.

    Their domains are on both sides: what is left out is their size.

    Args:
        tasks: the tasks, of one optimizer and target.
        candidate: facts, penalty and schedule, chosen on `smaller` of them.
        large: weights from which on a network is left out.

    Returns:
        A row a network, the smallest first: parameters, batch, steps, budget, domain, log_rate (of
        the fit's peak), log_best (of the best peak), regret (to the best schedule and rate, nats).

    Raises:
        ValueError: there are no such networks, or no others.
    """
    out = (tasks.facts["parameters"] >= large).to_numpy()
    if out.all() or not out.any():
        raise ValueError(
            f"networks of {large:g} weights and more, and smaller ones, are needed; got "
            f"{out.sum()} and {(~out).sum()}"
        )
    fit, left = fit_linear(smaller(tasks, large), candidate), tasks.take(out)
    log_rate = fit.log_rates(left.facts)
    regret = regret_at(left.curves[candidate.schedule], log_rate)
    best = left.best[candidate.schedule].log_rate
    facts = left.facts[["parameters", "batch", "steps", "budget"]].reset_index(drop=True)
    made = facts.assign(domain=left.domain, log_rate=log_rate, log_best=best, regret=regret)
    return made.sort_values("parameters", ignore_index=True)


def smaller(tasks: TunedTasks, large: float = LARGE) -> TunedTasks:
    """The tasks of networks below `large` weights."""
    return tasks.take((tasks.facts["parameters"] < large).to_numpy())
