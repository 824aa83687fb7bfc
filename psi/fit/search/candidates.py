"""Kinds of law that compete in a search: a formula, its free constants, where they start."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.fit.formula.curves import Curve
from psi.fit.formula.families import Free, by_name
from psi.fit.formula.formula import bound
from psi.fit.search.evolution import Objective, PolishConfig, polish
from psi.fit.search.objective import Course, Population, psi_of, regrets, searched_policy
from psi.fit.symbolic.front import Row
from psi.lab.engine.population import MakePolicy
from psi.law.clock import Clock
from psi.law.expression import Constant, Expression
from psi.law.law import Law, Range
from psi.progress import Report, silent

UNBOUND = (1e-30, 1e30)
LEVELS = np.arange(-2.0, 2.1, 0.5)
"""Added to the logarithm of a rate before a search: nats."""


class Kind(NamedTuple):
    """One of them."""

    name: str
    tree: Expression
    constants: tuple[Free, ...]
    start: Float[np.ndarray, " constant"]
    """As they are searched: the positive ones as logarithms."""

    def formula(self, found: Float[np.ndarray, " constant"]) -> Expression:
        """The tree with constants as they are searched in place."""
        return bound(self.tree, by_name(self.constants, found))


def of_curve(curve: Curve) -> Kind:
    """A curve of the table of families, from its fit to ideal rates."""
    return Kind(curve.family.name, curve.family.tree, curve.family.constants, curve.found)


def of_row(row: Row) -> Kind:
    """A row of a symbolic search; its constants may have either sign."""
    free = tuple(Free(name, "exponent") for name in row.start)
    return Kind("symbolic", row.tree, free, np.array(list(row.start.values())))


class Arena(NamedTuple):
    """Where kinds are searched and compared: courses, and one policy for all of them."""

    kinds: tuple[Kind, ...]
    courses: tuple[Course, ...]
    policy: MakePolicy
    scaled: bool
    key: Key[Array, ""]

    def regrets(
        self, number: Sequence[int], vectors: Sequence[np.ndarray], seeds: Int[np.ndarray, " seed"]
    ) -> Float[np.ndarray, "course lane"]:
        """Regret of populations of the kinds of these numbers, one after the other."""
        most = max(len(kind.start) for kind in self.kinds)
        padded = [np.pad(v, ((0, 0), (0, most - v.shape[1]))) for v in vectors]
        numbers = np.repeat(number, [len(v) for v in vectors])
        laws = Population(numbers, np.concatenate(padded))
        return regrets(self.courses, self.policy, laws, self.scaled, seeds, self.key)

    def levelled(
        self, number: Sequence[int], starts: Sequence[np.ndarray], seeds: Int[np.ndarray, " seed"]
    ) -> list[np.ndarray]:
        """The starts with each kind's rate times the best of LEVELS for whole trainings.

        A fit to ideal rates has the shape of a law right sooner than its level. Kinds without a
        constant that is a rate stay as they are.
        """
        those = [j for j, k in enumerate(number) if self.kinds[k].constants[0].unit == "rate"]
        if not those:
            return list(starts)
        lanes = {j: starts[j] + np.outer(LEVELS, np.arange(len(starts[j])) == 0) for j in those}
        regret = self.regrets([number[j] for j in those], list(lanes.values()), seeds).mean(0)
        best = regret.reshape(len(those), len(LEVELS)).argmin(1)
        found = {j: lanes[j][k] for j, k in zip(those, best, strict=True)}
        return [found.get(j, start) for j, start in enumerate(starts)]

    def polished(
        self,
        number: Sequence[int],
        starts: Sequence[np.ndarray],
        how: PolishConfig,
        report: Report = silent,
    ) -> list[np.ndarray]:
        """The kinds of these numbers after a search from `starts`."""
        return polish(self._objective(number), starts, how, self.key, report)

    def _objective(self, number: Sequence[int]) -> Objective:
        def objective(
            vectors: Sequence[np.ndarray], seeds: Int[np.ndarray, " seed"]
        ) -> list[np.ndarray]:
            found = self.regrets(number, vectors, seeds).mean(0)
            return np.split(found, np.cumsum([len(v) for v in vectors])[:-1])

        return objective


def arena(
    kinds: Sequence[Kind],
    courses: Sequence[Course],
    features: tuple[str, ...],
    domain: tuple[Range, ...],
    scaled: bool,
    key: Key[Array, ""],
) -> Arena:
    """Kinds that see `features`, clipped to `domain`; their policy is compiled once a bucket.

    Scaled or not they run under the same program, with α_0 = 1 where they are not.
    """
    optimizer = courses[0].task.facts.optimizer
    template = Law(Constant(1.0), features, domain, Range(*UNBOUND), optimizer, 1.0, scale=1.0)
    makers = [psi_of(kind.tree, features, kind.constants) for kind in kinds]
    policy = searched_policy(makers, Clock(template, 1))
    return Arena(tuple(kinds), tuple(courses), policy, scaled, key)
