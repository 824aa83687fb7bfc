"""From an atlas and a law of facts to a law with feedback: searches, compared at the end."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.fit.feedback.family import Family
from psi.fit.feedback.judging import judge, summary
from psi.fit.feedback.pool import Pool
from psi.fit.feedback.search import SearchConfig, search
from psi.lab.engine.seeds import JUDGING
from psi.law.law import Law, Score
from psi.progress import Report, silent, within

FACTS, HAND, MEAN = "facts alone", "by hand", "mean of the searches"
BY_HAND: Mapping[str, float] = {"v_above": -0.7, "v_above_stream": 0.7}
"""u ← 0.98 u − 0.7 tanh(20 log(v/v_best)) on fixed data: what a person would try."""
BEGIN: Mapping[str, float] = {
    "v_known": -0.3, "v_above": -0.5, "v_above_stream": 0.7, "v_step": 0.5, "v_step_stream": -0.4,
    "v_stalled": -0.2, "v_stalled_stream": -0.2, "pace": -0.3, "leak": 0.2,
}  # fmt: skip
"""Where searches begin: what one of 60 generations, which began by hand, had found under Adam."""
SEEDS = 4
"""Trainings of each candidate on each task that they are compared on."""


class FeedbackFit(NamedTuple):
    """A law with feedback, and what it was chosen from."""

    law: Law
    chosen: str
    constants: pd.DataFrame
    """A row a candidate, a column a constant."""
    regrets: pd.DataFrame
    """Of `judge`: a row a validation task."""
    summary: pd.DataFrame


def constants_of(family: Family, given: Mapping[str, float]) -> Float[np.ndarray, " constant"]:
    """The constants of the base, those that are given in their place; others are passed over."""
    pairs = zip(family.constants, family.start, strict=True)
    return np.array([given.get(name, value) for name, value in pairs])


def fit_feedback(
    pool: Pool, base: Law, config: SearchConfig, seeds: int, folder: Path, report: Report = silent
) -> FeedbackFit:
    """Search from several seeds, and take what validation domains say is best.

    Args:
        pool: tasks of all domains, of the base's optimizer.
        base: a law of facts.
        config: of each search; its seed is the first one's.
        seeds: how many searches.
        folder: a folder each is kept in it; the same call goes on.
        report: gets generations done.

    Returns:
        The law, with scores on validation domains, and what it was compared with.

    Raises:
        ValueError: no task is of a validation domain, or none is of another.
    """
    out = pool.validation
    if out.all() or not out.any():
        raise ValueError("a search needs tasks of validation domains and of others")
    family, train = Family(base, config.inputs), pool.take(~out)
    total = (seeds + 1) * config.generations
    found = {FACTS: family.start, HAND: constants_of(family, BY_HAND)}
    begin = constants_of(family, BEGIN)
    for k in range(seeds):
        stage = within(report, k * config.generations, config.generations, total, f"search {k + 1}")
        own = replace(config, seed=config.seed + k)
        made = search(train, family, begin, own, folder / f"seed-{own.seed}", stage)
        found[f"search {k + 1}"] = made.constants
    found[MEAN] = np.mean([*found.values()][2:], axis=0)
    stage = within(report, seeds * config.generations, config.generations, total, "comparing")
    regrets = judge(pool.take(out), family, found, config.lanes, JUDGING.array(SEEDS), stage)
    table = summary(regrets, FACTS)
    best = table.iloc[int(table.regret.argmin())]
    law = family.law(found[str(best.candidate)])
    scores = [Score(f"regret on validation domains, {end}", float(best[key]))
              for end, key in (("mean", "regret"), ("low", "low"), ("high", "high"))]  # fmt: skip
    constants = pd.DataFrame([found[n] for n in found], columns=[*family.constants])
    constants.insert(0, "candidate", [*found])
    return FeedbackFit(
        replace(law, scores=tuple(scores)), str(best.candidate), constants, regrets, table
    )
