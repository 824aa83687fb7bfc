"""The ideal rate of a cell: exact on a cubic, covered on a noisy quadratic, flagged elsewhere."""

import numpy as np
import pytest

from psi.ideal.rate import ideal_rates, interval, peak
from psi.ideal.returns import score
from psi.ideal.surface import candidates, response_surface
from tests.ideal.records import TASKS, branched_records


def test_peak_is_exact_on_any_cubic():
    """To the spacing of the fine grid, 1/64 of the widest gap, whose half is 0.013 nats here."""
    x = np.log([0.01, 0.03, 0.05, 0.2, 1.0, 4.0])
    for top in np.linspace(x[0] + 0.6, x[-1] - 0.8, 41):
        y = 3 - 0.7 * (x - top) ** 2 - 0.02 * (x - top) ** 3
        if 0 < y.argmax() < len(x) - 1:
            assert peak(x, y) == pytest.approx(top, abs=0.013)


def test_peak_of_many_is_the_peak_of_each():
    rng = np.random.default_rng(0)
    x, y = np.arange(7.0), rng.normal(size=(50, 7))
    assert peak(x, y).tolist() == [float(peak(x, row)) for row in y]


def test_peak_at_the_edge_and_on_a_plain():
    x = np.arange(5.0)
    assert peak(x, -x) == 0
    assert peak(x, x) == 4
    assert peak(x, np.zeros(5)) in x


def test_the_ideal_rate_of_a_noisy_quadratic():
    """G1 (Schaul et al. 2012): one step from E θ² = s with rate α leaves the excess
    ε' = (1 − αh)² ε + α² h σ²/2; the best is α* = ε / (h (ε + σ²/2h)).

    One seed is the mean over 4,000 draws here, sixteen seeds share their noise over the rates
    (common random numbers); α* within 3 %, its interval covers it.
    """
    h, sigma, excess = 2.0, 1.0, 0.5
    truth = excess / (h * (excess + sigma**2 / (2 * h)))
    lrs = np.geomspace(0.1, 1.2, 9)
    rng = np.random.default_rng(0)
    theta = rng.normal(0, np.sqrt(2 * excess / h), (16, 4000))
    noise = rng.normal(0, sigma, (16, 4000))
    after = theta - lrs[:, None, None] * (h * theta + noise)
    final = h / 2 * (after**2).mean(-1)
    row = ideal_rates(response_surface(branched_records(final, lrs), TASKS)).iloc[0]
    assert row.lr == pytest.approx(truth, rel=0.03)
    spacing = 1.005  # of the fine grid, on which the ends of the interval lie too
    assert row.lr_low / spacing <= truth <= row.lr_high * spacing
    assert row.lr_high / row.lr_low < 1.1
    assert not row.edge
    assert not row.flat
    assert row.sure


def test_edge_and_flat_are_flagged():
    lrs = [0.1, 0.2, 0.4, 0.8]
    falling = np.array([[1.0], [0.5], [0.3], [0.1]]).repeat(4, 1)
    row = ideal_rates(response_surface(branched_records(falling, lrs), TASKS)).iloc[0]
    assert row.edge
    assert not row.flat
    assert not row.sure
    assert row.lr == pytest.approx(0.8)
    flat = 0.5 + 0.001 * falling
    row = ideal_rates(response_surface(branched_records(flat, lrs), TASKS)).iloc[0]
    assert row.flat
    assert not row.sure


def test_two_candidates_are_too_few():
    surface = response_surface(branched_records(np.ones((2, 2)), [0.1, 0.2]), TASKS)
    with pytest.raises(ValueError, match="got 2"):
        ideal_rates(surface)


def test_flat_is_judged_around_the_best_whatever_diverges():
    lrs = np.geomspace(0.01, 1.0, 10)
    final = np.full((10, 6), 0.5) + 0.001 * np.linspace(-1, 1, 10)[:, None] ** 2
    final[-2:] = np.nan
    row = ideal_rates(response_surface(branched_records(final, lrs), TASKS)).iloc[0]
    assert row.flat
    assert not row.sure


def test_one_seed_has_no_interval_and_is_not_sure():
    final = np.array([[0.9], [0.3], [0.2], [0.5]])
    row = ideal_rates(response_surface(branched_records(final, [0.1, 0.2, 0.4, 0.8]), TASKS)).iloc[
        0
    ]
    assert np.isnan(row.log_lr_error)
    assert not row.sure


def test_intervals_cover_where_the_noise_of_each_candidate_is_its_own():
    """Eight runs, twelve rates, a shallow optimum: 95 % intervals of 200 cells; fewer than 173
    right ones are once in 10,000 where coverage is 92 %."""
    rng, x, right = np.random.default_rng(0), np.linspace(-4.6, 1.8, 12), 0
    for _ in range(200):
        best = rng.uniform(-2.5, -0.5)
        curve = np.exp(-1 + 0.1 * (x - best) ** 2)
        losses = curve * np.exp(0.1 * rng.normal(size=(8, 12)))
        table = candidates(next(TASKS.itertuples()), "a", np.exp(x), losses)
        y, resampled = (
            -table.score.to_numpy(),
            -score(np.stack(table.resampled.to_list(), -1), 0.0, 2.0),
        )
        found, _, half = interval(x, y, resampled, 8)
        right += abs(found - best) <= half
    assert right >= 173
