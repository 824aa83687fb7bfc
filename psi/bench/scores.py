"""Scores of methods on tasks of many domains, their means, and resamples of these.

A domain holds tasks, a task the splits of its data into parts to train, validate and test, a split
the runs of each seed. Tasks of one domain may be trained on the same splits, and methods on the
same seeds: both are given the same labels. Domains weigh equally. A figure is

    mean over domains of the mean over their tasks of the mean over the splits of each,

of a statistic of the scores y = log(clip(L̄ − L*, 0, 2Δ) + 0.01 Δ) (psi.ideal.returns), which are
taken of the mean L̄ over seeds. Its hierarchical bootstrap draws domains, in each its tasks, in each
of these its splits, and in each of these the seeds, the same for all methods, or some of these
levels; lower ones then stay whole (Ren et al. 2010, doi 10.1080/02664760903046102).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from psi.ideal.resampling import bootstrap_counts, numbered
from psi.ideal.returns import RESOLUTION, capped, score

LEVELS = ("domain", "task", "split", "seed")
ROWS = ("losses", "floor", "chance_loss", "domains", "tasks", "splits")
RESAMPLES = 10_000
BLOCK = 500  # resamples drawn at a time, for memory

Values: TypeAlias = Shaped[np.ndarray, "row ..."]
Sizes: TypeAlias = Int[np.ndarray, " group"]


@dataclass(frozen=True)
class Scores:
    """Final losses of methods from the same seeds; a row is a task on one split of its data."""

    methods: tuple[str, ...]
    losses: Float[np.ndarray, "row method seed"]
    """nats; NaN: diverged."""
    floor: Float[np.ndarray, " row"]
    chance_loss: Float[np.ndarray, " row"]
    domains: Shaped[np.ndarray, " row"]
    tasks: Shaped[np.ndarray, " row"]
    splits: Shaped[np.ndarray, " row"]
    resolution: float = RESOLUTION
    """Stands for the 0.01 of the score."""

    def __post_init__(self) -> None:
        labels = (self.domains, self.tasks, self.splits)
        columns = (self.floor, self.chance_loss, *labels)
        shape = self.losses.shape
        if shape[1:2] != (len(self.methods),) or {c.shape for c in columns} != {shape[:1]}:
            found = [shape, *(column.shape for column in columns)]
            raise ValueError(
                f"losses are rows × {len(self.methods)} methods × seeds and the other columns have "
                f"a value a row, got shapes {found}"
            )
        if len(set(zip(*(label.tolist() for label in labels), strict=True))) < shape[0]:
            raise ValueError("a domain, task and split make one row, got some twice")
        if not (self.chance_loss > self.floor).all():
            raise ValueError("the chance loss is above the floor on every row, got one that is not")

    @property
    def runs(self) -> Float[np.ndarray, "row method seed"]:
        """Losses, each at most 2 L_chance; a diverged run's is that."""
        return capped(self.losses, self.chance_loss[:, None, None])

    @property
    def scores(self) -> Float[np.ndarray, "row method"]:
        """The score y of the mean over seeds [nats]."""
        return self.score(self.runs.mean(2))

    def score(self, means: Float[np.ndarray, "row ..."]) -> Float[np.ndarray, "row ..."]:
        """Scores of other losses on the same rows."""
        at = (slice(None), *[None] * (means.ndim - 1))
        return score(means, self.floor[at], self.chance_loss[at], self.resolution)

    def of(self, rows: Bool[np.ndarray, " row"]) -> "Scores":
        """The same on some of the rows."""
        own = {name: getattr(self, name)[rows] for name in ROWS}
        return replace(self, **own)

    def column(self, method: str) -> int:
        """Where a method stands among the methods; ValueError where it does not."""
        if method not in self.methods:
            raise ValueError(f"a method is one of {', '.join(self.methods)}, got {method!r}")
        return self.methods.index(method)


def domain_means(scores: Scores, values: Values) -> Float[np.ndarray, "domain ..."]:
    """Means over each domain's tasks of the means over each task's splits."""
    nested = _nested(scores)
    return _group_means(_group_means(values[nested.rows], nested.splits), nested.tasks)


def resample(
    scores: Scores,
    values: Callable[[Float[np.ndarray, "row method"]], Values],
    levels: Collection[str] = LEVELS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Float[np.ndarray, "resample domain ..."]:
    """Domain means under the hierarchical bootstrap, domain → task → split → seed.

    Args:
        scores: Of all methods, whose seeds are drawn together.
        values: The statistic of single rows, from their scores y.
        levels: Those that are drawn with replacement. The others stay as they are: ("seed",) alone
            is for claims about these very tasks, ("domain",) draws domains whole.
        resamples: How many.
        seed: Of the draws.

    Returns:
        The mean of `values` in each of the D domains of each resample; their mean over domains is
        the figure of the resample.
    """
    rng, nested = np.random.default_rng(seed), _nested(scores)
    draws = [rng if level in levels else None for level in LEVELS]
    # Where nothing below is drawn, a domain's mean is the same in all resamples.
    whole = None if {*levels} - {"domain"} else domain_means(scores, values(scores.scores))
    means = []
    for start in range(0, resamples, BLOCK):
        count = min(BLOCK, resamples - start)
        domains = _members(np.zeros(count, int), np.array([len(nested.tasks)]), draws[0])
        if whole is not None:
            means.append(whole[domains.reshape(count, -1)])
            continue
        tasks = _members(domains, nested.tasks, draws[1])
        rows = nested.rows[_members(tasks, nested.splits, draws[2])]
        drawn = values(scores.scores[rows] if draws[3] is None else _redrawn(scores, rows, rng))
        each = _group_means(_group_means(drawn, nested.splits[tasks]), nested.tasks[domains])
        means.append(each.reshape(count, -1, *each.shape[1:]))
    return np.concatenate(means)


class _Nested(NamedTuple):
    """Which rows are of one task and which tasks of one domain, each group's side by side."""

    tasks: Sizes  # of each domain
    splits: Sizes  # of each task
    rows: Int[np.ndarray, " row"]  # numbers of the scores' rows, in the order of their tasks


def _nested(scores: Scores) -> _Nested:
    pairs = np.stack([numbered(scores.domains), numbered(scores.tasks)])
    tasks, task = np.unique(pairs, axis=1, return_inverse=True)
    return _Nested(np.bincount(tasks[0]), np.bincount(task), np.argsort(task, kind="stable"))


def _members(
    groups: Int[np.ndarray, " drawn"], sizes: Sizes, rng: np.random.Generator | None
) -> Int[np.ndarray, " member"]:
    """As many members of each group as it has, one group after the other: drawn, or all once."""
    count = sizes[groups]
    first = np.repeat((np.cumsum(sizes) - sizes)[groups], count)
    if rng is not None:
        return first + rng.integers(0, np.repeat(count, count))
    return first + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)


def _group_means(values: Values, sizes: Sizes) -> Float[np.ndarray, "group ..."]:
    sums = np.add.reduceat(values, np.cumsum(sizes) - sizes, axis=0, dtype=np.float64)
    return sums / sizes.reshape(-1, *[1] * (sums.ndim - 1))


def _redrawn(
    scores: Scores, rows: Int[np.ndarray, " drawn"], rng: np.random.Generator
) -> Float[np.ndarray, "drawn method"]:
    """Scores of rows, each with seeds of its own draw, the same for all methods."""
    losses, seeds = scores.runs, scores.losses.shape[2]
    means = np.empty((len(rows), len(scores.methods)))
    for row, own in enumerate(losses):
        at = np.flatnonzero(rows == row)
        means[at] = bootstrap_counts(seeds, len(at), rng) @ own.T / seeds
    facts = scores.floor[rows, None], scores.chance_loss[rows, None]
    return score(means, *facts, scores.resolution)
