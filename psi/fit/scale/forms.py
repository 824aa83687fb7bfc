"""What a shape is worth: its regret at the scale that facts give, on domains left out whole.

The scale of a shape is that of the candidate's power law, fitted on the other domains' plain
schedules, times a factor of the shape's own, chosen on them too. Regrets are those of psi.fit.scale
against the best plain schedule of each task, so that a shape may have less than none.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from psi.fit.scale.left_out import domain_folds, domain_means, over_domains
from psi.fit.scale.linear import Candidate, fit_linear, task_weights
from psi.fit.scale.regret import Curves, curves, regret_at
from psi.fit.scale.table import Atlas, under
from psi.fit.scale.tuned import Target, TunedTasks, scored, swept_scores, tuned_tasks, with_floors

FORM = ["power", "bend", "loss"]
Form = tuple[float, float, float]
LINEAR: Form = (1.0, 0.0, 0.0)
FACTORS = np.linspace(-2, 2, 81)
"""log of the factors that a shape may have"""


def regret_by_form(
    atlas: Atlas,
    runs: pd.DataFrame,
    optimizer: str,
    target: Target,
    candidate: Candidate,
    seed: int = 0,
) -> pd.DataFrame:
    """The regret of every shape on left-out domains, and what it has more than (1 − t).

    Args:
        atlas: the plain schedules, of these tasks and others.
        runs: as an atlas's, a row a task, optimizer, shape and rate, with power, bend and loss in
            the place of schedule.
        optimizer: one of both.
        target: the loss that counts.
        candidate: the facts of the scale, as chosen for the linear schedule.
        seed: of the folds.

    Returns:
        A row a shape: power, bend, loss, factor (median over folds); regret, low, high; more,
        more_low, more_high [nats, 95 % intervals over domains].

    Raises:
        ValueError: a shape lacks runs on a task, or (1 − t) is not among them.
    """
    plain = tuned_tasks(atlas, optimizer, target)
    every = under(atlas, optimizer).tasks.task.to_numpy()
    own = runs[(runs.optimizer == optimizer) & runs.task.isin(every)]
    place = np.flatnonzero(np.isin(every, own.task.unique()))
    some = plain.take(place)
    shapes = _curves(atlas, own, every[place], target, some.reference)
    if LINEAR not in shapes:
        raise ValueError(f"the shape {LINEAR} must be among them, got {sorted(shapes)}")
    fold = domain_folds(plain.domain, seed)
    rates = _left_out_rates(plain, candidate, fold)
    seen = rates[:, place], fold[place], some
    found = {form: _regret(curve, *seen) for form, curve in shapes.items()}
    first, rows = domain_means(found[LINEAR][0], some.domain), []
    for form, (regret, factor) in found.items():
        means = domain_means(regret, some.domain)
        rows.append((*form, factor, *over_domains(means), *over_domains(means - first)))
    names = [*FORM, "factor", "regret", "low", "high", "more", "more_low", "more_high"]
    return pd.DataFrame(rows, columns=names).sort_values("regret", ignore_index=True)


def _curves(
    atlas: Atlas,
    runs: pd.DataFrame,
    numbers: Int[np.ndarray, " task"],
    target: Target,
    reference: Float[np.ndarray, " task"],
) -> dict[Form, Curves]:
    """The regret of every shape as a function of log α_0, tasks in the order of `numbers`."""
    tasks = with_floors(atlas)
    tasks = tasks[tasks.task.isin(numbers)].reset_index(drop=True)
    runs = scored(runs, tasks, target)
    grid, found = np.unique(runs.log_rate), {}
    forms = runs[FORM].to_numpy(float)
    for power, bend, loss in np.unique(forms, axis=0).tolist():
        form = (power, bend, loss)
        y, *_ = swept_scores(runs[(forms == form).all(axis=1)], tasks, grid, f"shape {form}")
        found[form] = curves(grid, y - reference[:, None])
    return found


def _left_out_rates(
    tasks: TunedTasks, candidate: Candidate, fold: Int[np.ndarray, " task"]
) -> Float[np.ndarray, "fold task"]:
    """The log rates of every task by the fit that has not seen each fold."""
    fits = [fit_linear(tasks.take(fold != k), candidate) for k in np.unique(fold)]
    return np.array([fit.log_rates(tasks.facts) for fit in fits])


def _regret(
    curve: Curves,
    rates: Float[np.ndarray, "fold task"],
    fold: Int[np.ndarray, " task"],
    tasks: TunedTasks,
) -> tuple[Float[np.ndarray, " task"], float]:
    """(regret on each task where its fold is left out, the median factor)."""
    regret, factors = np.empty(len(fold)), []
    for k, log_rate in enumerate(rates):
        out = fold == k
        seen = ~out
        weight = task_weights(tasks.domain[seen])
        lost = [weight @ regret_at(curve, log_rate + f)[seen] for f in FACTORS]
        factors.append(FACTORS[int(np.argmin(lost))])
        regret[out] = regret_at(curve, log_rate + factors[-1])[out]
    return regret, float(np.exp(np.median(factors)))
