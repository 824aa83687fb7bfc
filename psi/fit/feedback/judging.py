"""Searched laws beside each other on domains that no search has seen."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from psi.atlas.training import Plan
from psi.fit.feedback.family import Family
from psi.fit.feedback.pool import Pool, losses, scored
from psi.fit.scale.left_out import domain_means, over_domains
from psi.progress import Report, silent


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
    family: Family,
    candidates: Mapping[str, Float[np.ndarray, " constant"]],
    lanes: int,
    seeds: Int[np.ndarray, " seed"],
    report: Report = silent,
) -> pd.DataFrame:
    """The regret of candidates against the tuned schedule, on rows that no policy sees.

    Args:
        pool: the tasks.
        family: the laws.
        candidates: constants by name.
        lanes: of a call: as many as a search has, so that its programs serve.
        seeds: of initial weights and minibatches; each is a call.
        report: gets the calls done.

    Returns:
        A row a task: task, domain, stream, and a column a candidate [nats].

    Raises:
        ValueError: there are more candidates than lanes, but one.
    """
    if len(candidates) >= lanes:
        raise ValueError(f"at most {lanes - 1} candidates at a time, got {len(candidates)}")
    plan = Plan(pool.optimizer, family.policy(), validates=True)
    tuned = tuned_constants(pool, family)[:, None]
    fixed = np.broadcast_to(
        np.stack([*candidates.values()]), (len(tuned), len(candidates), tuned.shape[2])
    )
    every = np.concatenate([fixed, np.repeat(tuned, lanes - len(candidates), axis=1)], axis=1)
    found = []
    for done, seed in enumerate(seeds):
        report(done, len(seeds), "seeds")
        found.append(losses(pool, plan, every, np.array([seed])))
    report(len(seeds), len(seeds), "")
    mean = scored(pool, np.mean(found, axis=0))
    regret = mean[:, : len(candidates)] - mean[:, -1:]
    table = pd.DataFrame(regret, columns=[*candidates])
    table.insert(0, "stream", [each.task.stream for each in pool.entries])
    table.insert(0, "domain", [each.domain for each in pool.entries])
    table.insert(0, "task", [each.task.number for each in pool.entries])
    return table


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
