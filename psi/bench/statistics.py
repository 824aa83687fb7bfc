"""What many trainings say together: regrets over domains, with intervals and tests.

A regret is the score y of a method minus the reference's, negative where the method is better. A
claim is about domains that nobody has tried, so every figure but the interquartile mean is a mean
over domains, m̄ (psi.bench.scores). With D domains of means m_d and s² = Σ (m_d − m̄)² / (D (D − 1)),
the 95 % intervals are

    mean regret        m̄ − q s: q are the 97.5 and 2.5 % points of (m̄_b − m̄) / s_b over resamples
                       b, or those of Student's t, D − 1 degrees, where they are farther out
    shares             Wilson's interval for n = m̄ (1 − m̄) / s² draws, with Student's t
    interquartile mean ± Student's t, D − 3 degrees, × the standard error over resamples

Resamples draw whole domains, the highest level of the hierarchical bootstrap (Ren et al. 2010): the
spread of domain means already holds all noise below them, whatever the tasks of a domain share.
Drawing tasks, splits and seeds as well adds it a second time, to m̄_b and to s_b alike. Their ratio
then has shorter tails: a method differs from itself in 4.9 % of 2,500 draws, and in 3.7 % of 15,000
where domains stay whole. Resamples without spread say nothing and are left out: there are some
where a method is the reference itself in most domains, as tuned schedules are.

Percentiles of m̄_b are too narrow where domains are few. Student's t is too narrow for skewed
domains, the studentised bootstrap for some of unequal spread; of ten domains the farther end of the
two holds the true mean in 93 to 97 % of draws, whatever was simulated. The interquartile mean has
fewer degrees than domains because it leaves half of the runs out: with D − 1 its interval holds the
truth in 92.5 to 95.4 % of draws, with D − 3 in 93.7 to 95.9 % (tests/bench/test_statistics.py).

Studentised bootstrap: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 12.
Whole groups: Ren et al. 2010, doi 10.1080/02664760903046102.
Student's t over unlike groups: Ibragimov & Müller 2010, doi 10.1198/jbes.2009.08046. Shares: Wilson
1927, doi 10.1080/01621459.1927.10502953, with the n of Korn & Graubard 1998, Survey Methodology 24,
193–201.
"""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import t as student
from scipy.stats import trim_mean

from psi.bench.scores import BLOCK, LEVELS, RESAMPLES, Scores, domain_means, resample
from psi.ideal.resampling import (
    TAILS,
    bootstrap_counts,
    bootstrap_error,
    numbered,
    student_width,
)

TINY = 1e-12  # below it a variance of a share, or a ratio of spreads, is rounding
FEWEST = 5
"""Domains that an interval over them needs: of fewer, too many resamples are one domain alone."""


class Interval(NamedTuple):
    """A figure, or an array of them, and its 95 % interval over domains."""

    value: Float[np.ndarray, "..."]
    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]


class MeanRegret(NamedTuple):
    """Of each method; negative is better [nats]."""

    mean: Float[np.ndarray, " method"]
    low: Float[np.ndarray, " method"]
    high: Float[np.ndarray, " method"]
    p: Float[np.ndarray, " method"]
    """Two-sided, of a mean of 0, from the same resamples: ≤ 0.05 where the interval is beside 0."""


def mean_regret(
    scores: Scores,
    reference: str,
    resamples: int = RESAMPLES,
    seed: int = 0,
    levels: Collection[str] = LEVELS[:1],
) -> MeanRegret:
    """Mean regret of every method, with intervals and p-values from the hierarchical bootstrap.

    `levels`: which ones are drawn; by default whole domains, whose spread holds all noise below.
    """
    at = scores.column(reference)
    means = domain_means(scores, _minus(scores.scores, at))
    drawn = resample(scores, lambda y: _minus(y, at), levels, resamples, seed)
    count, mean, error = _enough(len(means)), means.mean(0), _error(means)
    t = _ratio(mean, error)
    spread = _error(drawn, axis=1)
    pivots = _ratio(drawn.mean(1) - mean, spread)
    pivots[(spread <= TINY * error) & (error > 0)] = np.nan
    left, right = np.nanquantile(pivots, TAILS, axis=0)
    width = student_width(count)
    low, high = mean - error * np.maximum(right, width), mean - error * np.minimum(left, -width)

    def tail(side: int) -> Float[np.ndarray, " method"]:
        beyond = ((side * pivots >= side * t).sum(0) + 1) / (np.isfinite(pivots).sum(0) + 1)
        return np.maximum(beyond, student.sf(side * t, count - 1))

    return MeanRegret(mean, low, high, np.minimum(2 * np.minimum(tail(1), tail(-1)), 1))


def interquartile_mean(values: Float[np.ndarray, "..."]) -> float:
    """Mean of all n values but the ⌊n/4⌋ lowest and highest (Agarwal et al., arXiv 2108.13264)."""
    return float(trim_mean(values.ravel(), 0.25))


def run_regrets(scores: Scores, reference: str) -> Float[np.ndarray, "method run"]:
    """Regrets of single runs, the logarithm taken of each one's loss; row after row, all seeds."""
    runs = np.moveaxis(scores.score(scores.runs), 1, 0)
    return (runs - runs[scores.column(reference)]).reshape(len(runs), -1)


def interquartile_regret(
    scores: Scores, reference: str, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Interquartile mean of each method's regrets of single runs, all tasks and seeds together.

    As it was published: every run weighs the same, and the logarithm is of a single run's loss.
    """
    regrets = run_regrets(scores, reference)
    group = np.repeat(numbered(scores.domains), scores.losses.shape[2])
    count = _enough(int(group.max()) + 1)
    drawn = bootstrap_counts(count, resamples, np.random.default_rng(seed))
    middle = np.array([interquartile_mean(own) for own in regrets])
    error = np.array([bootstrap_error(_trimmed(own, group, drawn), count) for own in regrets])
    width = student_width(count - 2) * error
    return Interval(middle, middle - width, middle + width)


def performance_profile(
    scores: Scores, reference: str, thresholds: Float[np.ndarray, " threshold"]
) -> Interval:
    """Share of tasks on which each method's regret is ≤ τ, of shape=(threshold, method).

    Dolan & Moré 2002, doi 10.1007/s101070100263, with regrets for log ratios to the best. Intervals
    are of one threshold each: a band that holds the whole profile in 95 % of draws is wider.
    """
    regrets = _minus(scores.scores, scores.column(reference))
    within = regrets[:, None, :] <= thresholds[None, :, None]
    return _share(domain_means(scores, within))


def probability_of_improvement(scores: Scores, one: str, other: str) -> Interval:
    """P(loss of `one` < loss of `other`) on the same task, over all pairs of seeds; a tie counts ½.

    Agarwal et al. 2021, arXiv 2108.13264, with domains in the place of tasks.
    """
    a, b = (scores.runs[:, scores.column(name)] for name in (one, other))
    wins = (1 + np.sign(b[:, None, :] - a[:, :, None])) / 2
    return _share(domain_means(scores, wins.mean((1, 2))))


def holm(p: Float[np.ndarray, " comparison"]) -> Float[np.ndarray, " comparison"]:
    """p-values corrected for being the ones of a table: max over j ≤ k of (n − j) p_(j), j from 0.

    Where what is ≤ 0.05 is called a difference, a table of n comparisons has a false one with
    probability ≤ 0.05 (Holm 1979, Scandinavian Journal of Statistics 6, 65–70).
    """
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(steps, 1)[np.argsort(order)]


def _minus(scores: Float[np.ndarray, "row method"], reference: int) -> np.ndarray:
    return scores - scores[:, [reference]]


def _enough(domains: int) -> int:
    if domains < FEWEST:
        raise ValueError(f"an interval over domains needs at least {FEWEST}, got {domains}")
    return domains


def _error(means: Float[np.ndarray, "..."], axis: int = 0) -> Float[np.ndarray, "..."]:
    """Standard error of a mean over domains, s."""
    return np.asarray(means.std(axis, ddof=1) / np.sqrt(means.shape[axis]))


def _ratio(difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    """In standard errors; 0 where both are 0, as between a method and itself."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0.0, difference / error)


def _share(means: Float[np.ndarray, "domain ..."]) -> Interval:
    """Mean over domains of shares, and Wilson's interval; n = D where no two domains differ."""
    count, p, variance = _enough(len(means)), np.asarray(means.mean(0)), _error(means) ** 2
    n = np.where(variance > TINY, p * (1 - p) / np.maximum(variance, TINY), count)
    z2 = student_width(count) ** 2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (p * (1 - p) + z2 / (4 * n)) / n) / (1 + z2 / n)
    return Interval(p, centre - half, centre + half)


def _trimmed(
    values: Float[np.ndarray, " run"],
    group: Int[np.ndarray, " run"],
    counts: Int[np.ndarray, "resample group"],
) -> Float[np.ndarray, " resample"]:
    """The interquartile mean where the runs of each group are there so many times."""
    order = np.argsort(values)
    means = []
    for start in range(0, len(counts), BLOCK):
        drawn = counts[start : start + BLOCK].T.astype(float)  # whole numbers, for a fast product
        reached = np.cumsum(drawn[group[order]], axis=0)
        total = reached[-1]
        cut = total // 4
        kept = np.diff(np.clip(reached, cut, total - cut), axis=0, prepend=cut[None])
        means.append(values[order] @ kept / (total - 2 * cut))
    return np.concatenate(means)
