"""Resampling of groups: against formulas for the mean, scipy, and a loop."""

import numpy as np
import pytest
from scipy import stats

from psi.ideal.resampling import (
    bootstrap,
    bootstrap_counts,
    bootstrap_error,
    folds,
    jackknife_error,
    left_out_means,
    numbered,
    percentiles,
    poisson_counts,
    student_width,
)

GROUPS = 12
VALUES = np.random.default_rng(3).normal(size=GROUPS)


def rng():
    return np.random.default_rng(0)


def test_groups_are_numbered_in_the_order_of_their_names():
    assert list(numbered(np.array(["wine", "a", "wine", "digits"]))) == [2, 0, 2, 1]


def test_the_bootstrap_draws_as_many_groups_as_there_are_each_equally_often():
    drawn = bootstrap(GROUPS, 4000, rng())
    assert drawn.shape == (4000, GROUPS)
    # A group's count is binomial with mean 4,000 and standard deviation √(4,000 (1 − 1/12)) = 61.
    assert np.abs(np.bincount(drawn.ravel(), minlength=GROUPS) - 4000).max() < 5 * 61
    assert np.array_equal(drawn[:7], bootstrap(GROUPS, 7, rng()))


def test_counts_are_those_of_the_same_bootstrap():
    """Of a count: mean 1, variance 1 − 1/G; covariance of two −1/G."""
    counts = bootstrap_counts(GROUPS, 20_000, rng())
    assert (counts.sum(1) == GROUPS).all()
    covariance = np.cov(counts.T)
    np.testing.assert_allclose(covariance, np.eye(GROUPS) - 1 / GROUPS, atol=0.05)


def test_poisson_counts_have_mean_and_variance_one_and_do_not_depend_on_each_other():
    counts = np.stack([*poisson_counts(GROUPS, 20_000, rng())])
    np.testing.assert_allclose(counts.mean(0), 1, atol=0.05)
    np.testing.assert_allclose(np.cov(counts.T), np.eye(GROUPS), atol=0.06)
    assert not [*poisson_counts(GROUPS, 0, rng())]


def test_the_bootstrap_error_of_a_mean_is_the_standard_error():
    means = VALUES[bootstrap(GROUPS, 20_000, rng())].mean(1)
    assert bootstrap_error(means, GROUPS) == pytest.approx(stats.sem(VALUES), rel=0.03)
    table = np.stack([means, 2 * means], axis=1)
    np.testing.assert_allclose(
        bootstrap_error(table, GROUPS)[1], 2 * bootstrap_error(means, GROUPS)
    )


def test_the_jackknife_error_of_a_mean_is_the_standard_error_exactly():
    assert jackknife_error(left_out_means(VALUES)) == pytest.approx(stats.sem(VALUES), rel=1e-12)


def test_means_with_one_group_left_out_against_a_loop():
    table = np.stack([VALUES, VALUES**2], axis=1)
    loop = [np.delete(table, g, axis=0).mean(0) for g in range(GROUPS)]
    np.testing.assert_allclose(left_out_means(table), loop)


def test_percentiles_and_students_t_are_scipys():
    sample = rng().normal(size=(999, 2))
    low, high = percentiles(sample)
    np.testing.assert_allclose(low, stats.scoreatpercentile(sample, 2.5, axis=0))
    np.testing.assert_allclose(high, stats.scoreatpercentile(sample, 97.5, axis=0))
    low, high = stats.t.interval(0.95, GROUPS - 1)
    assert (-student_width(GROUPS), student_width(GROUPS)) == pytest.approx((low, high))


def test_jackknife_intervals_with_students_t_cover_the_mean():
    """Eight normal groups, 95 % intervals of 400 samples; fewer than 362 right ones are once in
    10,000 (binomial)."""
    samples = rng().normal(size=(8, 400))
    half = student_width(8) * jackknife_error(left_out_means(samples))
    assert (np.abs(samples.mean(0)) <= half).sum() >= 362


def test_folds_hold_groups_evenly_and_are_no_more_than_these():
    fold = folds(GROUPS, 5, rng())
    assert sorted(np.bincount(fold)) == [2, 2, 2, 3, 3]
    assert sorted(folds(3, 5, rng())) == [0, 1, 2]
