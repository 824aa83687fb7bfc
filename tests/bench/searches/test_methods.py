"""Searches over landscapes that are known, without a network."""

import jax
import numpy as np
import pytest

from psi.bench.searches import methods
from psi.bench.searches.methods import RUNS, TRIALS

SEARCHES = {
    "random": methods.random_search, "grid": methods.grid_search, "genetic": methods.genetic,
    "cma_es": methods.cma_es, "tpe": methods.tpe,
}  # fmt: skip
COUNTS = {name: TRIALS if name == "random" else RUNS for name in SEARCHES}
COMPILED = ("genetic", "cma_es")  # for every number of searches, in seconds
KEYS = jax.random.split(jax.random.key(5), 4)
BEST = np.array([0.62, 0.35])


def bowl(points, before):
    return ((points - BEST) ** 2).sum(-1)


@pytest.fixture(scope="module")
def found():
    return {name: search(bowl, KEYS) for name, search in SEARCHES.items()}


@pytest.mark.parametrize("name", SEARCHES)
def test_the_best_region_of_a_bowl_is_found(found, name):
    """Of 30 points at random one is nearer than r with 1 − (1 − πr²)^30: 98 % within 0.2."""
    tried = found[name]
    distance = np.linalg.norm(tried.best - BEST, axis=1)
    assert (distance < 0.2).all()
    np.testing.assert_array_equal(bowl(tried.best, 0), tried.losses.min(1))


@pytest.mark.parametrize("name", ["genetic", "cma_es", "tpe"])
def test_what_learns_from_its_trials_gets_closer(found, name):
    """The last ten trials of a search are nearer to the best than its first six."""
    losses = found[name].losses
    assert (losses[:, -10:].mean(1) < losses[:, :6].mean(1)).all()


@pytest.mark.parametrize("name", SEARCHES)
def test_every_trial_is_asked_once_and_lies_in_the_space(name):
    asked = []

    def losses(points, before):
        asked.append((before, points.shape[1]))
        assert ((points >= 0) & (points <= 1)).all()
        return bowl(points, before)

    tried = SEARCHES[name](losses, KEYS)
    befores, counts = zip(*asked, strict=True)
    assert sum(counts) == tried.losses.shape[1] == COUNTS[name]
    assert list(befores) == [0, *np.cumsum(counts)[:-1]]
    np.testing.assert_array_equal(tried.losses, bowl(tried.points, 0))


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_depends_on_its_own_key_and_losses_alone(found, name):
    """Its neighbours have other keys and another landscape, and it stands elsewhere."""
    others = jax.random.split(jax.random.key(6), 4)
    keys = others.at[3].set(KEYS[0])

    def losses(points, before):
        return np.r_[-bowl(points[:3], before), bowl(points[3:], before)]

    tried = SEARCHES[name](losses, keys)
    np.testing.assert_array_equal(tried.points[3], found[name].points[0])
    assert name == "grid" or not np.array_equal(tried.points[1], found[name].points[1])


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in COMPILED else n for n in SEARCHES],
)
def test_a_search_does_the_same_whatever_their_number(found, name):
    tried = SEARCHES[name](bowl, KEYS[:1])
    np.testing.assert_allclose(tried.points[0], found[name].points[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SEARCHES)
def test_what_diverges_is_never_chosen_while_something_else_is_there(name):
    """Nine tenths of the space diverge, and one search finds nothing that does not."""

    def losses(points, before):
        fine = (points[..., 1] > 0.9) & (np.arange(4) < 3)[:, None]
        return np.where(fine, bowl(points, before), np.inf)

    tried = SEARCHES[name](losses, KEYS)
    there = np.isfinite(tried.losses).any(1)
    assert (there == (tried.best[:, 1] > 0.9))[:3].all()
    assert there.any()
    assert not there[3]
    assert np.isfinite(tried.points).all()


def test_random_trials_are_a_prefix_of_more_of_them(found):
    few = methods.random_search(bowl, KEYS, 0, 10)
    more = methods.random_search(bowl, KEYS, 10, 30)
    both = methods.joined([few, more])
    np.testing.assert_array_equal(both.points, found["random"].points[:, :30])
    # 400 points on the square: the mean of a share is 0.5 within 4.5 standard errors.
    np.testing.assert_allclose(found["random"].points.mean((0, 1)), 0.5, atol=4.5 * 0.289 / 20)


def test_the_grid_has_both_ends_of_peaks_and_three_powers(found):
    points = found["grid"].points[0]
    np.testing.assert_allclose(np.unique(points[:, 0]), np.linspace(0, 1, 10))
    np.testing.assert_allclose(np.unique(points[:, 1]), [0, 0.5, 1])
