"""From an atlas and a law of facts to a law with feedback: searches, compared at the end."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.fit.feedback.domains import VALIDATION
from psi.fit.feedback.family import Family, check_inputs
from psi.fit.feedback.judging import Candidates, judge, summary
from psi.fit.feedback.pool import Pool
from psi.fit.feedback.search import Searchable, SearchConfig, search
from psi.fit.scale.choice import candidates
from psi.fit.scale.facts import sets_for
from psi.fit.scale.fit import fit_scale
from psi.fit.scale.linear import Candidate
from psi.fit.scale.table import Atlas
from psi.lab.engine.seeds import JUDGING, POLISH
from psi.law.law import Law, Score
from psi.progress import Report, silent, within

FACTS, HAND, SHAPE, MEAN = "facts alone", "by hand", "level and shape", "mean of the searches"
FREE = "facts without T"
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


def apart(atlas: Atlas) -> Atlas:
    """The tasks that are of no validation domain."""
    tasks = atlas.tasks[~atlas.tasks.domain.isin(VALIDATION)]
    return Atlas(tasks, atlas.runs[atlas.runs.task.isin(tasks.task)])


def facts_law(atlas: Atlas, optimizer: str, level: float = 1.0, budget: bool = True) -> Law:
    """The law of facts of an atlas, times `level`; without a budget a constant rate of all but T.

    Raises ValueError where the facts that were chosen have T without a budget, or lack it with one.
    """
    tried = None if budget else without_budget(optimizer)
    law = fit_scale(atlas, optimizer, tried=tried, level=level).law
    if ("budget" in law.features) != budget:
        raise ValueError(f"facts {'but' if budget else 'and'} T were chosen: {law}")
    return law


def without_budget(optimizer: str) -> list[Candidate]:
    """What a scale may be chosen from where nobody knows when a run ends."""
    sets = [each for each in sets_for(optimizer) if "stream" in each.facts]
    cut = [each.without(("budget",)) if "budget" in each.facts else each for each in sets]
    return candidates(cut, schedules=("constant",))


def fit_feedback(
    atlas: Atlas,
    pool: Pool,
    config: SearchConfig,
    seeds: int,
    folder: Path,
    level: float = 1.0,
    budget: bool = True,
    report: Report = silent,
) -> FeedbackFit:
    """Search from several seeds, and take what validation domains say is best.

    All that is compared has seen no task of these domains, the scale of facts neither. The law's
    own scale is of the whole atlas. With a budget, scale and shape stay where facts have them, so
    that a law without a validation loss is the law of facts; without one, they are searched too.

    Args:
        atlas: tasks of all domains.
        pool: those of them that are trained, under one optimizer.
        config: of each search; its seed is the first one's, what it holds is decided here.
        seeds: how many searches.
        folder: a folder each is kept in it; the same call goes on.
        level: a factor of the law's rates that other tasks than the atlas's say.
        budget: whether the law sees T and i/T.
        report: gets generations done.

    Returns:
        The law, with scores on the domains that it was chosen on, and what it was compared with.

    Raises:
        ValueError: no task is of a validation domain, or none is of another; there are too few
            lanes for the candidates, or seeds of runs for the searches; or an input needs T.
    """
    check(pool, config, seeds, budget)
    base = facts_law(apart(atlas), pool.optimizer, 1.0, budget)
    whole = facts_law(atlas, pool.optimizer, level, budget)
    family, chosen_from = Family(base, config.inputs), Family(whole, config.inputs)
    judged: list[tuple[Searchable, Candidates]] = []
    if not budget:
        known = Family(facts_law(apart(atlas), pool.optimizer), ())
        judged = [(known, {FACTS: known.start})]
    total = (seeds + 2) * config.generations
    part = (total - config.generations, config.generations, total)
    found = searched(pool.take(~pool.validation), family, config, seeds, folder,
                     within(report, 0, part[0], total))  # fmt: skip
    judged.append((family, found))
    own, stage = pool.take(pool.validation), within(report, *part, "comparing")
    regrets = judge(own, judged, config.lanes, JUDGING.array(SEEDS), stage)
    table = summary(regrets, FACTS)
    best = table[table.candidate.isin([*found])].sort_values("regret").iloc[0]
    law = chosen_from.law(found[str(best.candidate)])
    scores = [Score(f"regret on the domains that it was chosen on, {end}", float(best[key]))
              for end, key in (("mean", "regret"), ("low", "low"), ("high", "high"))]  # fmt: skip
    constants = pd.DataFrame([*found.values()], columns=[*family.constants])
    constants.insert(0, "candidate", [*found])
    law = replace(law, scores=tuple(scores))
    return FeedbackFit(law, str(best.candidate), constants, regrets, table)


def searched(
    pool: Pool,
    family: Family,
    config: SearchConfig,
    seeds: int,
    folder: Path,
    report: Report = silent,
) -> dict[str, Float[np.ndarray, " constant"]]:
    """What laws of a family are compared: by name, their constants.

    The base, the rule by hand, the best level and shape without a feedback, the searches of the
    feedback and their mean. Where T is known these leave level and shape as facts have them.
    """
    shape, budget = family.shape, family.knows_budget
    found = {FACTS if budget else FREE: family.start, HAND: constants_of(family, BY_HAND)}
    rest = tuple(name for name in family.constants if name not in shape)
    begin, held = constants_of(family, BEGIN), shape if budget else ()
    wanted = [(SHAPE, family.start, replace(config, held=rest))]
    wanted += [
        (f"search {k + 1}", begin, replace(config, held=held, seed=config.seed + k))
        for k in range(seeds)
    ]
    for done, (name, start, own) in enumerate(wanted):
        each = config.generations
        stage = within(report, done * each, each, len(wanted) * each, name)
        place = folder / name.replace(" ", "-")
        found[name] = search(pool, family, start, own, place, stage).constants
    return found | {MEAN: np.mean([found[name] for name, *_ in wanted[1:]], axis=0)}


def check(pool: Pool, config: SearchConfig, seeds: int, budget: bool = True) -> None:
    """Raise ValueError where a fit could not be finished."""
    check_inputs(config.inputs, budget)
    domains = [
        len({e.domain for e in pool.take(own).entries})
        for own in (pool.validation, ~pool.validation)
    ]
    if min(domains) < 2:
        raise ValueError(f"a search needs two validation domains and two others, got {domains}")
    if seeds < 1 or seeds + 4 >= config.lanes:
        raise ValueError(f"seeds must be 1 … lanes − 5 = {config.lanes - 5}, got {seeds}")
    if (config.seed + seeds) * config.generations > POLISH.count:
        raise ValueError(
            f"seeds × generations must be <= {POLISH.count}, got {seeds} × {config.generations}"
        )
