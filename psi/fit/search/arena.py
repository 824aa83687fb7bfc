"""Where candidates are searched and compared: training tasks, and one policy for all formulas."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.fit.formula.formula import Candidate
from psi.fit.search.evolution import PolishConfig, polish
from psi.fit.search.objective import Population, TrainingTask, regrets, searched_policy
from psi.lab.data.kept import kept
from psi.lab.engine.population import MakePolicy
from psi.law.clock import Clock
from psi.law.expression import Constant
from psi.law.law import Law, Range
from psi.progress import Report, silent

UNBOUND = (1e-30, 1e30)
LEVELS = np.arange(-2.0, 2.1, 0.5)
"""Added to the logarithm of a rate before a search: nats."""


class Arena(NamedTuple):
    """Candidates that are compared on training tasks; a `number` says which of them."""

    candidates: tuple[Candidate, ...]
    tasks: tuple[TrainingTask, ...]
    policy: MakePolicy
    scaled: bool
    key: Key[Array, ""]

    def regrets(
        self,
        number: Sequence[int],
        vectors: Sequence[np.ndarray],
        seeds: Int[np.ndarray, " seed"],
        report: Report = silent,
    ) -> Float[np.ndarray, "task lane"]:
        """Regret of populations of these candidates, one population after the other.

        `vectors`: constants as they are searched, shape=(lane, constant), a candidate each.
        """
        most = max(len(each.start) for each in self.candidates)
        padded = [np.pad(v, ((0, 0), (0, most - v.shape[1]))) for v in vectors]
        numbers = np.repeat(number, [len(v) for v in vectors])
        laws = Population(numbers, np.concatenate(padded))
        every = (self.tasks, self.policy, laws, self.scaled, seeds, report)
        return kept("regrets", lambda: [regrets(*every)])[0]

    def levelled(
        self, number: Sequence[int], starts: Sequence[np.ndarray], seeds: Int[np.ndarray, " seed"]
    ) -> list[np.ndarray]:
        """The starts with each candidate's rate times the best of LEVELS for whole trainings.

        A fit to ideal rates gets the shape of a law right sooner than its level. Candidates
        whose first constant is no rate stay as they are.
        """
        first = [self.candidates[k].formula.parameters[0] for k in number]
        movable = [j for j, parameter in enumerate(first) if parameter.quantity == "rate"]
        if not movable:
            return list(starts)
        lanes = {j: starts[j] + np.outer(LEVELS, np.arange(len(starts[j])) == 0) for j in movable}
        regret = self.regrets([number[j] for j in movable], list(lanes.values()), seeds).mean(0)
        best = regret.reshape(len(movable), len(LEVELS)).argmin(1)
        found = {j: lanes[j][k] for j, k in zip(movable, best, strict=True)}
        return [found.get(j, start) for j, start in enumerate(starts)]

    def polished(
        self,
        number: Sequence[int],
        starts: Sequence[np.ndarray],
        config: PolishConfig,
        report: Report = silent,
    ) -> list[np.ndarray]:
        """The constants of these candidates after a search over whole trainings."""

        def objective(
            vectors: Sequence[np.ndarray], seeds: Int[np.ndarray, " seed"]
        ) -> list[np.ndarray]:
            found = self.regrets(number, vectors, seeds).mean(0)
            return np.split(found, np.cumsum([len(v) for v in vectors])[:-1])

        return polish(objective, starts, config, self.key, report)


def arena(
    candidates: Sequence[Candidate],
    tasks: Sequence[TrainingTask],
    features: tuple[str, ...],
    domain: tuple[Range, ...],
    scaled: bool,
    key: Key[Array, ""],
) -> Arena:
    """Candidates that see `features`, clipped to `domain`; compiled once a bucket of tasks.

    Scaled or not they run under the same program, with α_0 = 1 where they are not.
    """
    optimizer = tasks[0].task.facts.optimizer
    template = Law(Constant(1.0), features, domain, Range(*UNBOUND), optimizer, 1.0, scale=1.0)
    policy = searched_policy([each.formula for each in candidates], Clock(template, 1))
    return Arena(tuple(candidates), tuple(tasks), policy, scaled, key)
