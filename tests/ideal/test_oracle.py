"""Oracles: searches that must find what is known to be best, and the headroom they give."""

import jax
import numpy as np
import pytest

from psi.ideal.moments import mean_oracle
from psi.ideal.oracle import Search, difference, headroom, knots, search, tuned_peaks
from psi.lab.hyper import Hyper
from psi.lab.tasks.noisy_problems import NoisyQuadratic
from psi.lab.tasks.table import make_task
from tests.lab.tasks.exact import moment_losses

KEY = jax.random.key(7)
REFERENCE = NoisyQuadratic(
    np.array([10.0, 1.0, 0.1]), np.array([0.5, 0.2, 0.1]), np.array([1.0, 2.0, 3.0])
)


def test_knots_are_closer_to_the_end_and_no_more_than_epochs():
    at = knots(20, 5)
    assert (at[0], at[-1]) == (0, 19)
    assert (np.diff(np.diff(at)) < 0).all()
    assert list(knots(2, 5)) == [0, 1]


@pytest.mark.slow
def test_cma_es_finds_what_the_gradient_finds():
    """G4 in 16 steps, over 4 knots, from a constant schedule whose score is 0.3 nats worse; within
    0.03 nats of the gradient's oracle, which has 16 free rates. 360 runs a candidate."""
    task = make_task("noisy_quadratic_3d", Hyper(epochs=16))
    settings = Search(knots=4, restarts=2, population=8, generations=25, seeds=360)
    first = np.full((1, 16), 0.05)
    reported = []
    found = search(task, first, KEY, settings, lambda k, n, _: reported.append((k, n)))
    assert reported[-1] == (25, 25)
    assert found.shape == (2, 16)
    oracle = moment_losses(mean_oracle(REFERENCE, 16, 0.2), REFERENCE)[-1]
    best = min(moment_losses(each, REFERENCE)[-1] for each in found)
    assert best < moment_losses(first[0], REFERENCE)[-1] * 0.8
    assert np.log(best / oracle) < 0.03


def test_the_grid_is_extended_until_the_best_is_inside():
    """Begun with rates far too low: the best constant rate of 3 steps on G1 is above 0.2."""
    task = make_task("noisy_quadratic", Hyper(epochs=3))
    low, runs = tuned_peaks(task, (0.01, 0.02), KEY)
    usual, _ = tuned_peaks(task, (0.02, 0.9), KEY)
    np.testing.assert_allclose(low, usual, rtol=0.5)
    assert low[0] > 0.1
    assert runs % (3 * 16) == 0


@pytest.mark.slow
def test_headroom():
    """Streams with noise: a schedule must be worth something; the oracle is scored on seeds that
    the search has not seen, and its interval is that of the difference."""
    task = make_task("gaussian_mixture-0", Hyper(epochs=8))
    found = headroom(task, (0.02, 6.0), KEY, Search(5, 2, 6, generations=8, seeds=8))
    assert [each.name for each in found.plain] == ["constant", "linear", "cosine"]
    assert found.nats == pytest.approx(found.plain[0].score - found.oracle.score)
    assert found.low < found.nats < found.high
    assert found.low > 0.05
    again = difference(found.plain[0].losses, found.oracle.losses, task)
    assert again == (found.nats, found.low, found.high)
    assert found.runs > Search(5, 2, 6, 8, 8).runs() == 768


@pytest.mark.parametrize(
    ("change", "message"),
    [({"knots": 1}, "knots must be >= 2, got 1"), ({"population": 2}, "population must be >= 4"),
     ({"generations": 0}, "generations must be >= 1"), ({"spread": 0.0}, "must be positive")],
)  # fmt: skip
def test_searches_that_make_no_sense(change, message):
    with pytest.raises(ValueError, match=message):
        Search(**change)
