"""What a person gets who searches for a schedule by whole trainings on the task.

All search polynomial schedules by peak rate and power (psi.bench.searches.space), but the stagewise
search, which tries constant rates. Every training counts. The random searches are the first trials
of one another: the fewest that match a method are what it is worth in trainings.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.bench.baselines.baseline import Baseline, Planned
from psi.bench.searches import methods
from psi.bench.searches.methods import Evaluate, Keys, Tried, joined
from psi.bench.searches.objective import Objective
from psi.bench.searches.stagewise import RATES
from psi.lab.engine.devices import BESIDE
from psi.lab.engine.policy import Policy, trajectory
from psi.lab.tasks.task import Task

RANDOM = (3, 10, 30, 100)  # trials of the random searches


def planned(rates: Float[Array, " epoch"], budget: int) -> Policy:
    """The policy of a plan, α_i = rates[i]."""
    del budget
    return trajectory(rates)


def random_trials(objective: Objective, runs: int) -> Tried:
    """The first `runs` trials of a random search; what another one has trained is not again."""
    ends = (0, *RANDOM[: RANDOM.index(runs) + 1])
    return joined([_random(objective, *block) for block in pairwise(ends)])


@lru_cache(maxsize=BESIDE * len(RANDOM))  # those of the tasks that are run at a time
def _random(objective: Objective, first: int, last: int) -> Tried:
    return methods.random_search(objective.losses, objective.keys, first, last)


def _planning(search: Callable[[Objective], Tried]) -> Callable[..., Planned]:
    def plan(task: Task, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]) -> Planned:
        objective = Objective(task, seeds, key)
        tried = search(objective)
        return Planned(objective.plans(tried.best), tried.losses.shape[1])

    return plan


def _of_losses(search: Callable[[Evaluate, Keys], Tried]) -> Callable[[Objective], Tried]:
    return lambda objective: search(objective.losses, objective.keys)


def _stagewise(task: Task, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]) -> Planned:
    return Planned(Objective(task, seeds, key).staged(), RATES)


def _row(name: str, plan: Callable[..., Planned], formula: str, source: str) -> Baseline:
    return Baseline(
        name, planned, tuned=False, plan=plan, sees=("validation",), formula=formula, source=source
    )


_SPACE = "α (1 − i/T)^p, the best of"
_TRIED = {
    "grid search": (
        methods.grid_search, f"{_SPACE} 10 peaks α × p = 0, 1, 2",
        "Bergstra & Bengio 2012, JMLR 13",
    ),
    "genetic algorithm": (
        methods.genetic, f"{_SPACE} 3 generations of 10",
        "Such et al. 2017, arXiv 1712.06567; evosax",
    ),
    "TPE": (
        methods.tpe, f"{_SPACE} 30 by expected improvement",
        "Bergstra et al. 2011, NeurIPS 24; optuna TPESampler",
    ),
    "CMA-ES": (
        methods.cma_es, f"{_SPACE} 5 generations of 6",
        "Hansen & Ostermeier 2001, doi 10.1162/106365601750190398; evosax",
    ),
}  # fmt: skip
ROWS = (
    *(
        _row(
            f"random search, {runs} runs",
            _planning(lambda objective, runs=runs: random_trials(objective, runs)),
            f"{_SPACE} {runs} drawn at random",
            "Bergstra & Bengio 2012, JMLR 13",
        )
        for runs in RANDOM
    ),
    *(
        _row(f"{name}, {methods.RUNS} runs", _planning(_of_losses(search)), formula, source)
        for name, (search, formula, source) in _TRIED.items()
    ),
    _row(
        "stagewise search",
        _stagewise,
        "the best of 10 constant rates in each of 5 stages",
        "Jin et al. 2021, arXiv 2105.10762 (AutoLRS)",
    ),
)
