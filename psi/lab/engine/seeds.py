"""The ledger of seeds: which seeds of runs are for what.

A seed gives a run its initialisation and its batch order (key = fold_in(root, seed)). What is
searched, chosen and scored must not share them, or a result is good at one set of batches alone;
what is compared in pairs must. So the ranges have names, are disjoint, and stand here only.

`psi verify` and the speed benchmarks have roots of their own and count their runs from 0.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True)
class Seeds:
    """A range of seeds with one purpose."""

    first: int
    count: int

    def array(self, count: int, skip: int = 0) -> Int[np.ndarray, " seed"]:
        """`count` seeds of the range, after the first `skip`.

        Raises ValueError where the range has fewer.
        """
        if not 0 <= skip <= skip + count <= self.count:
            raise ValueError(
                f"this range has {self.count} seeds, got {count} after the first {skip}: it would "
                f"run into the next one"
            )
        return self.first + skip + np.arange(count)


TUNING = Seeds(0, 100)
"""A data set's runs, its pilot, probes and all that is tuned on a task. Shared on purpose: pilot,
tuned schedules and formulas that are held against them are paired. (A data set of more than 100
seeds goes on into the next range; do not score anything on its tasks then.)"""
SCORING = Seeds(100, 32)
"""Scores of laws, schedules and oracles: nothing is fitted, tuned or chosen on them."""
CHOOSING = Seeds(500, 500)
"""The oracle's restarts compete with the tuned plain schedules."""
ORACLE = Seeds(1000, 9000)
"""The oracle's search, new ones every generation."""
STATES = Seeds(10_000, 10_000)
"""States from which candidate rates branch off: the labels."""
POLISH = Seeds(20_000, 10_000)
"""The search over whole trainings under a law, new ones every generation and polish."""
LEVELS = Seeds(30_000, 1000)
"""The level of a fitted law is chosen before its search."""
JUDGING = Seeds(31_000, 1000)
"""Searched laws are compared with each other, and with what they were before."""
INTERVALS = Seeds(32_000, 1000)
"""Laws around the chosen one, for intervals of its constants."""
SEARCHES = Seeds(33_000, 3200)
"""Trials of the searches that the judge runs, 100 for each scoring seed."""
POPULATIONS = Seeds(1_000_000, 1_000_000)
"""Large populations of problems without a network."""
