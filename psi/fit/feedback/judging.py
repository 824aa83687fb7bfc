"""Searched laws beside each other on domains that no search has seen."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from psi.fit.feedback.family import Family
from psi.fit.feedback.pool import Pool, losses, scored
from psi.fit.feedback.search import Searchable, plan_of
from psi.fit.scale.left_out import domain_means, over_domains
from psi.progress import Report, silent, within

Candidates = Mapping[str, Float[np.ndarray, " _"]]
"""Constants of a family's laws by name."""


def tuned_constants(pool: Pool, family: Family) -> Float[np.ndarray, "task constant"]:
    """The constants at which a family's laws are the tuned schedule of each task."""
    names = family.base.features
    seen = [np.zeros(len(pool.facts)) if n == "progress" else pool.facts[n] for n in names]
    found = np.tile(family.start, (len(pool.entries), 1))
    level, power = (family.constants.index(name) for name in ("level", "power"))
    found[:, level] = np.log(pool.peak / family.base(np.stack(seen)))
    found[:, power] = pool.schedule == "linear"
    return found


def judge(
    pool: Pool,
    judged: Sequence[tuple[Searchable, Candidates]],
    lanes: int,
    seeds: Int[np.ndarray, " seed"],
    report: Report = silent,
) -> pd.DataFrame:
    """The regret of candidates against the tuned schedule, on rows that no policy sees.

    Args:
        pool: the tasks.
        judged: families, with constants by name; the tuned schedule is among the laws of the
            first, which knows T.
        lanes: of a call: as many as a search has, so that its programs serve.
        seeds: of initial weights and minibatches; each is a call for each family.
        report: gets the calls done.

    Returns:
        A row a task: task, domain, stream, and a column a candidate [nats].

    Raises:
        ValueError: there are more candidates of a family than lanes, but one; or the first does
            not know T.
    """
    first, found = judged[0][0], []
    if not isinstance(first, Family) or not first.knows_budget:
        raise ValueError(f"the first must be a family of formulas that know T, got {first}")
    for done, (family, candidates) in enumerate(judged):
        own = within(report, done * len(seeds), len(seeds), len(judged) * len(seeds))
        last = family.start if found else tuned_constants(pool, first)[:, None]
        found.append(_scores(pool, family, candidates, last, lanes, seeds, own))
    report(1, 1, "")
    reference = found[0][:, -1:]
    names = [name for _, candidates in judged for name in candidates]
    scores = np.concatenate([own[:, :-1] for own in found], axis=1)
    table = pd.DataFrame(scores - reference, columns=names)
    table.insert(0, "stream", [each.task.stream for each in pool.entries])
    table.insert(0, "domain", [each.domain for each in pool.entries])
    table.insert(0, "task", [each.task.number for each in pool.entries])
    return table


def _scores(
    pool: Pool,
    family: Searchable,
    candidates: Candidates,
    last: Float[np.ndarray, "*task constant"],
    lanes: int,
    seeds: Int[np.ndarray, " seed"],
    report: Report,
) -> Float[np.ndarray, "task candidate_and_last"]:
    """The scores of candidates and of what fills the other lanes, which may differ by task."""
    if len(candidates) >= lanes:
        raise ValueError(f"at most {lanes - 1} candidates at a time, got {len(candidates)}")
    plan, count = plan_of(pool.optimizer, family), len(candidates)
    shape = (len(pool.entries), lanes, len(family.start))
    every = np.array(np.broadcast_to(last, shape))
    every[:, :count] = np.stack([*candidates.values()]) if count else every[:, :0]
    found = []
    for done, seed in enumerate(seeds):
        report(done, len(seeds), "seeds")
        found.append(losses(pool, plan, every, np.array([seed])))
    return scored(pool, np.mean(found, axis=0))[:, : count + 1]


def summary(table: pd.DataFrame, beside: str) -> pd.DataFrame:
    """Mean regrets over domains with 95 % intervals, and what each has more than `beside`.

    Returns:
        A row a candidate: candidate, regret, low, high, fixed, streams, won (share of tasks below
        0), worst, more, more_low, more_high.
    """
    domain, rows = table.domain.to_numpy(object), []
    for name in table.columns[3:]:
        own, more = table[name].to_numpy(), (table[name] - table[beside]).to_numpy()
        means, more_means = (over_domains(domain_means(a, domain)) for a in (own, more))
        rows.append({
            "candidate": name, "regret": means.mean, "low": means.low, "high": means.high,
            "fixed": own[~table.stream].mean(), "streams": own[table.stream].mean(),
            "won": (own < 0).mean(), "worst": own.max(),
            "more": more_means.mean, "more_low": more_means.low, "more_high": more_means.high,
        })  # fmt: skip
    return pd.DataFrame(rows)
