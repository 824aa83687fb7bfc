"""Networks larger than all that a scale was fitted to: what its power law loses on each."""

import pandas as pd

from psi.fit.scale.linear import Candidate, fit_linear
from psi.fit.scale.regret import regret_at
from psi.fit.scale.tuned import TunedTasks

LARGE = 150_000
"""Weights from which on a network is left out."""


def on_larger(tasks: TunedTasks, candidate: Candidate, large: float = LARGE) -> pd.DataFrame:
    """The regret of a fit to the networks below `large` weights on every other.

    Args:
        tasks: the tasks, of one optimizer and target.
        candidate: facts, penalty and schedule.
        large: weights from which on a network is left out.

    Returns:
        A row a network, the smallest first: parameters, batch, steps, budget, domain, log_rate (of
        the fit's peak), log_best (of the best peak), regret (to the best schedule and rate, nats).
    """
    out = (tasks.facts["parameters"] >= large).to_numpy()
    fit, left = fit_linear(tasks.take(~out), candidate), tasks.take(out)
    log_rate = fit.log_rates(left.facts)
    regret = regret_at(left.curves[candidate.schedule], log_rate)
    best = left.best[candidate.schedule].log_rate
    facts = left.facts[["parameters", "batch", "steps", "budget"]].reset_index(drop=True)
    made = facts.assign(domain=left.domain, log_rate=log_rate, log_best=best, regret=regret)
    return made.sort_values("parameters", ignore_index=True)
