"""Resampling of whole groups: the standard errors and intervals of everything that is estimated.

Runs that share a task, a seed or a state are not independent of each other, so whole groups are
drawn, never single values, and what is compared is drawn together (paired). With G groups and
statistics t_1 … t_B of B resamples:

    bootstrap     G groups with replacement; s² = G/(G − 1) · var_b t_b, or percentiles of t_b
    Poisson       each group counts Poisson(1) times: a bootstrap that needs no fixed G
    jackknife     one group left out at a time, t_(g);  s² = (G − 1) · var_g t_(g)
    folds         groups dealt out whole, to be left out in turn

Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 6, 11 and 13; the Poisson
bootstrap: Hanley & MacGibbon 2006, doi 10.1016/j.cmpb.2006.04.006.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.stats import t as student

TAILS = (0.025, 0.975)
"""Ends of a 95 % interval."""


def numbered(names: Shaped[np.ndarray, " row"]) -> Int[np.ndarray, " row"]:
    """The number of each row's group, 0 … G − 1 in the order of their sorted names."""
    return np.unique(names, return_inverse=True)[1]


def bootstrap(
    groups: int, resamples: int, rng: np.random.Generator
) -> Int[np.ndarray, "resample group"]:
    """The G groups of each resample, drawn with replacement (Efron 1979)."""
    return rng.integers(0, groups, (resamples, groups))


def bootstrap_counts(
    groups: int, resamples: int, rng: np.random.Generator
) -> Int[np.ndarray, "resample group"]:
    """How often each group is among the G that a resample draws with replacement.

    Multinomial: the same bootstrap as `bootstrap`, for estimates that take weights.
    """
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=resamples)


def poisson_counts(
    groups: int, resamples: int, rng: np.random.Generator
) -> Iterator[Float[np.ndarray, " group"]]:
    """How often each group counts in each resample, independently Poisson(1).

    Hanley & MacGibbon 2006. Resamples come one at a time, as groups may be very many.
    """
    return (rng.poisson(1.0, groups).astype(float) for _ in range(resamples))


def bootstrap_error(
    resampled: Float[np.ndarray, "resample ..."], groups: int
) -> Float[np.ndarray, "..."]:
    """Standard error s of a statistic, s² = G/(G − 1) · var_b t_b, from its value in B resamples.

    The factor makes it unbiased for a mean of few groups.
    """
    return np.asarray(np.sqrt(groups / (groups - 1)) * resampled.std(axis=0))


def percentiles(
    resampled: Float[np.ndarray, "resample ..."],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """95 % interval of a statistic: the 2.5 and 97.5 % points of its value in the resamples."""
    low, high = np.quantile(resampled, TAILS, axis=0)
    return np.asarray(low), np.asarray(high)


def student_width(groups: int) -> float:
    """Half the width of a 95 % interval in standard errors: Student's t of G − 1 degrees."""
    return float(student.ppf(TAILS[1], groups - 1))


def left_out_means(values: Float[np.ndarray, "group ..."]) -> Float[np.ndarray, "group ..."]:
    """The mean over all groups but one, for each group in turn: (Σ_h x_h − x_g)/(G − 1)."""
    return (values.sum(axis=0) - values) / (len(values) - 1)


def jackknife_error(left_out: Float[np.ndarray, "group ..."]) -> Float[np.ndarray, "..."]:
    """Standard error s of a statistic, s² = (G − 1) · var_g t_(g).

    t_(g) is the statistic with group g left out (Tukey 1958). For smooth functions of means it
    agrees with the bootstrap to first order; for medians and peaks it does not.
    """
    return np.asarray(np.sqrt(len(left_out) - 1) * left_out.std(axis=0))


def folds(groups: int, count: int, rng: np.random.Generator) -> Int[np.ndarray, " group"]:
    """The fold of each group, 0 … count − 1, shuffled and dealt out evenly.

    As many folds as groups where these are fewer.
    """
    return rng.permutation(groups) % min(count, groups)
