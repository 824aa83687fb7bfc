"""Each family against its closed form or what defines it.

False-alarm rate of a statistical test: 1e-4 (seeds are fixed).
"""

import jax
import numpy as np
import pytest
from scipy import stats
from scipy.interpolate import make_interp_spline

from psi.lab.data.families import HOUSE
from psi.lab.data.trajectories import draws_of

T, LANES = 20, 400
TABLE = {family.name: family.draw for family in HOUSE}
STARTING = [name.removeprefix("warmup_") for name in TABLE if name.startswith("warmup_")]
STARTING.remove("stable_decay")
i = np.arange(T)


def sample(seed, lanes, epochs):
    """Draws, shape=(lanes, …), and log(α/peak), shape=(lanes, T), of every family."""
    drawn = draws_of(jax.random.split(jax.random.key(seed), lanes), epochs)
    return drawn, {name: draw(drawn) for name, draw in TABLE.items()}


@pytest.fixture(scope="module")
def drawn():
    return sample(0, LANES, T)[0]


@pytest.fixture(scope="module")
def logs():
    return sample(0, LANES, T)[1]


def uniform(values, low, high):
    """Whether the values are a sample of U(low, high), by Kolmogorov–Smirnov."""
    assert low - 1e-4 <= values.min() <= values.max() <= high + 1e-4
    return stats.kstest((values - low) / (high - low), "uniform").pvalue > 1e-4


def normal(values, deviation):
    """Whether they are a sample of N(0, deviation²): Kolmogorov–Smirnov, and χ² of the variance."""
    spread = stats.chi2(values.size).cdf((values**2).sum() / deviation**2)
    test = stats.kstest(values.ravel(), "norm", (0, deviation))
    return test.pvalue > 1e-4 and 5e-5 < spread < 1 - 5e-5


def close(log, shape):
    np.testing.assert_allclose(np.exp(log), np.broadcast_to(shape, log.shape), rtol=2e-5)


def test_the_table():
    names = list(TABLE)
    assert len(set(names)) == len(names) == 25
    assert len(STARTING) == 9
    assert names[:9] == STARTING


def test_chance_is_uniform_or_normal(drawn):
    for name in ("peak", "shape", "detail", "rise", "position", "size"):
        assert uniform(np.asarray(getattr(drawn, name)).ravel(), 0, 1), name
    for name in ("knots", "noise"):
        assert normal(np.asarray(getattr(drawn, name)), 1), name
    columns = [np.asarray(a).reshape(LANES, -1) for a in drawn]
    correlation = np.corrcoef(np.concatenate(columns, 1).T)
    off = np.abs(correlation[np.triu_indices(len(correlation), 1)])
    # Bonferroni; √n r is about normal.
    assert off.max() < stats.norm.isf(1e-4 / 2 / len(off)) / np.sqrt(LANES)


def test_closed_forms_without_a_parameter(logs):
    close(logs["constant"], 1)
    close(logs["linear"], 1 - i / T)
    close(logs["cosine"], (1 + np.cos(np.pi * i / T)) / 2)
    close(logs["inverse"], 1 / (1 + i))
    close(logs["inverse_sqrt"], 1 / np.sqrt(1 + i))


def test_exponential_and_polynomial(logs):
    nats = -logs["exponential"][:, -1] * T / (T - 1)
    close(logs["exponential"], np.exp(-nats[:, None] * i / T))
    assert uniform(nats, 0.5, 6)
    power = logs["polynomial"][:, 10] / np.log(0.5)
    close(logs["polynomial"], (1 - i / T) ** power[:, None])
    assert uniform(np.log(power), np.log(0.3), np.log(4))


@pytest.mark.parametrize(("divisor", "most"), [(2, 6), (10, 3)])
def test_steps_divide_exactly_at_distinct_random_epochs(logs, divisor, most):
    log = logs[f"step_{divisor}"]
    drops = np.diff(-log / np.log(divisor))
    assert (log[:, 0] == 0).all()
    np.testing.assert_allclose(drops, drops.round(), atol=1e-5)
    drops = drops.round().astype(int)
    assert set(np.unique(drops)) == {0, 1}
    counts = np.bincount(drops.sum(1), minlength=most + 1)
    assert counts[0] == 0
    assert len(counts) == most + 1
    assert stats.chisquare(counts[1:]).pvalue > 1e-4
    first_kind = drops[drops.sum(1) == 1].argmax(1)  # one drop a lane: independent
    assert stats.chisquare(np.bincount(first_kind, minlength=T - 1)).pvalue > 1e-4


@pytest.mark.parametrize("name", STARTING)
def test_decays_start_at_the_peak_and_never_rise(logs, name):
    assert (logs[name][:, 0] == 0).all()
    assert (np.diff(logs[name]) <= 1e-6).all()


@pytest.mark.parametrize("name", STARTING)
def test_warmup_is_linear_up_to_the_peak_and_then_the_family_itself(drawn, logs, name):
    """The rest is the family's own draw over T − w epochs, from chance cut to them."""
    log = logs[f"warmup_{name}"]
    w = np.isclose(log, 0, atol=1e-6).argmax(1)
    for lane in range(LANES):
        rise = np.arange(1, w[lane] + 2) / (w[lane] + 1)
        np.testing.assert_allclose(np.exp(log[lane, : w[lane] + 1]), rise, rtol=1e-5)
    assert stats.chisquare(np.bincount(w, minlength=6)[1:]).pvalue > 1e-4
    assert w.max() == 5
    four = np.flatnonzero(w == 4)
    cut = jax.tree.map(lambda a: a[four, 4:] if a.shape == (LANES, T) else a[four], drawn)
    np.testing.assert_allclose(log[four, 4:], TABLE[name](cut), atol=1e-12)


def test_warmup_stable_decay_is_flat_and_then_linear_to_zero(logs):
    log = logs["warmup_stable_decay"]
    w = np.isclose(log, 0, atol=1e-6).argmax(1)
    after = i >= w[:, None]
    share = 1 / np.exp(log[:, -1]) / (T - w)  # of a decay that is longer than an epoch
    decay = np.minimum((T - i) / (share * (T - w))[:, None], 1)
    np.testing.assert_allclose(np.exp(log)[after], decay[after], rtol=2e-5)
    # A decay of 0.1 to 0.5 of the T − w epochs; of T − w = 15 … 19, all but a few exceed an epoch.
    assert (np.exp(log[:, -1]) >= 1 / (0.5 * 19) - 1e-5).all()
    assert uniform(share, 0.1, 0.5)
    close(log[:, :1], 1 / (w + 1)[:, None])


def test_one_cycle_goes_up_and_down_in_equal_times_and_then_far_below(logs):
    rates = np.exp(logs["one_cycle"])
    top = rates.argmax(1)
    np.testing.assert_allclose(rates.max(1), 1, rtol=1e-6)
    assert stats.chisquare(np.bincount(top, minlength=9)[4:]).pvalue > 1e-4
    assert uniform(-np.log(rates[:, 0]), np.log(3), np.log(25))
    for rate, m in zip(rates, top, strict=True):
        np.testing.assert_allclose(rate[: m + 1], np.linspace(rate[0], 1, m + 1), rtol=1e-5)
        np.testing.assert_allclose(rate[m : 2 * m + 1], rate[: m + 1][::-1], rtol=1e-5)
        tail = rate[0] * 0.01 ** ((np.arange(2 * m, T) - 2 * m) / (T - 2 * m))
        np.testing.assert_allclose(rate[2 * m :], tail, rtol=1e-4)


def test_restarts_are_cosines_of_random_lengths(logs):
    number = []
    for log in logs["restarts"]:
        starts = np.flatnonzero(log > -1e-4)  # a cosine over <= 20 epochs is below −0.006 after 0
        assert starts[0] == 0
        for start, end in zip(starts, [*starts[1:], T], strict=True):
            t = np.arange(end - start) / (end - start)
            close(log[start:end], (1 + np.cos(np.pi * t)) / 2)
        number.append(len(starts) - 1)
    assert stats.chisquare(np.bincount(number, minlength=5)[1:]).pvalue > 1e-4
    assert max(number) == 4


def test_walk_has_independent_normal_increments(logs):
    steps = np.diff(logs["walk"], prepend=0)
    assert normal(steps, 0.4)
    assert abs((steps[:, 1:] * steps[:, :-1]).mean() / 0.16) < 3.9 / np.sqrt(LANES * (T - 1))


def test_spline_is_the_natural_cubic_through_its_knots(drawn, logs):
    """Against scipy's B-splines: another algorithm than the code's."""
    knots = np.asarray(drawn.knots)
    curve = make_interp_spline(np.arange(5) / 4, knots.T, k=3, bc_type="natural")
    np.testing.assert_allclose(logs["spline"], curve(i / T).T, atol=1e-5)
    np.testing.assert_allclose(logs["spline"][:, ::5], knots[:, :4], atol=1e-6)


def test_a_fifth_of_epochs_spike_by_two_to_five(drawn, logs):
    flat = np.asarray(drawn.detail) < 0.5
    base = np.where(flat, 0, logs["exponential"])
    jump = logs["spikes"] - base
    spiked = np.abs(jump) > 1e-4
    assert stats.binomtest(int(spiked.sum()), spiked.size, 0.2).pvalue > 1e-4
    assert uniform(np.abs(jump[spiked]), np.log(2), np.log(5))
    assert stats.binomtest(int((jump[spiked] > 0).sum()), int(spiked.sum())).pvalue > 1e-4
    assert stats.binomtest(int(flat.sum()), LANES).pvalue > 1e-4


def test_jitter_is_linear_with_normal_noise(logs):
    noise = logs["jitter"] - np.log(1 - i / T)
    assert normal(noise, 0.3)


def test_double_precision_whatever_that_of_jax():
    drawn, logs = sample(2, 3, T)
    with jax.enable_x64(True):
        again, same = sample(2, 3, T)
    assert all(values.dtype == np.float64 for values in (*drawn, *logs.values()))
    cosine = (1 + np.cos(np.pi * i / T)) / 2
    np.testing.assert_allclose(np.exp(logs["cosine"][0]), cosine, rtol=1e-12)
    for one, other in zip((*drawn, *logs.values()), (*again, *same.values()), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
