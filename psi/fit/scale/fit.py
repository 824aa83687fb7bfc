"""From an atlas to a law of the scale: choose, fit, intervals, and the law that says all this."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.fit.scale.choice import Choice, candidates, choose, nested_regret
from psi.fit.scale.exponents import BY_ROWS, exponents
from psi.fit.scale.facts import sets_for
from psi.fit.scale.law import scale_law
from psi.fit.scale.left_out import (
    Interval,
    domain_folds,
    domain_means,
    left_out,
    linear,
    over_domains,
)
from psi.fit.scale.linear import Candidate, fit_linear
from psi.fit.scale.table import Atlas
from psi.fit.scale.tuned import Target, TunedTasks, tuned_tasks
from psi.law.law import Law
from psi.progress import Report, silent

LEAST = 4
"""Domains: each is left out, and what the others say has an interval over them."""


class ScaleFit(NamedTuple):
    """A law of the scale and where it comes from."""

    law: Law
    choice: Choice
    exponents: pd.DataFrame


def fit_scale(
    atlas: Atlas,
    optimizer: str,
    target: Target = "validation",
    tried: Sequence[Candidate] | None = None,
    resamples: int = 200,
    seed: int = 0,
    report: Report = silent,
    level: float = 1.0,
) -> ScaleFit:
    """The law of an optimizer's scale, for one target.

    Args:
        atlas: of `read_atlas`.
        optimizer: one of its optimizers.
        target: the loss that the rate is to be best for.
        tried: what to choose from; by default every set of facts that is for the optimizer,
            penalty and schedule.
        resamples: of the constants' intervals.
        seed: of the folds and resamples.
        report: gets the number of candidates done.
        level: a factor of the rate that other tasks than the atlas's say.

    Returns:
        The law, whose scores are the regret on left-out domains as `nested_regret` has it (of the
        chosen candidate where there is a level), the choice, and the constants with intervals.

    Raises:
        ValueError: the atlas does not hold what a fit needs.
    """
    tasks = tuned_tasks(atlas, optimizer, target)
    if (domains := len(set(tasks.domain))) < LEAST:
        raise ValueError(f"a scale needs tasks of at least {LEAST} domains, got {domains}")
    tried = candidates(sets_for(optimizer)) if tried is None else tried
    choice = choose(tasks, tried, seed, report)
    chosen = choice.candidate
    table = exponents(tasks, chosen, resamples, seed)
    fit = fit_linear(tasks, chosen)
    if level == 1:
        regret = nested_regret(choice, tried)
    else:
        fit = fit._replace(intercept=fit.intercept + float(np.log(level)))
        table.loc[table.name == "rate", ["value", "low", "high"]] *= level
        regret = _at_level(tasks, chosen, level, seed)
    constants = table[table.name != BY_ROWS]
    law = scale_law(fit, chosen, tasks, optimizer, target, constants, regret)
    return ScaleFit(law, choice, table)


def _at_level(tasks: TunedTasks, chosen: Candidate, level: float, seed: int) -> Interval:
    """The regret on left-out domains of the fits' rates times `level`."""

    def fit(own: TunedTasks) -> Callable[[pd.DataFrame], Float[np.ndarray, " task"]]:
        log_rates = linear(chosen)(own)
        return lambda facts: log_rates(facts) + np.log(level)

    lost = left_out(tasks, fit, chosen.schedule, domain_folds(tasks.domain, seed))
    return over_domains(domain_means(lost, tasks.domain))
