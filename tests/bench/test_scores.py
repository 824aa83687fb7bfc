"""Scores over domains and their hierarchical bootstrap, against loops and values by hand."""

from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from psi.bench.scores import LEVELS, Scores, domain_means, resample

DOMAINS = np.array(["text", "wine", "text", "wine", "wine", "digits"])
TASKS = np.array(["a", "a", "a", "b", "a", "c"])
SPLITS = np.array([0, 0, 1, 0, 1, 0])  # tasks: text a (2 splits), wine a (2), wine b (1), digits c


def made(seeds=4):
    losses = np.random.default_rng(0).uniform(0.1, 0.6, (len(DOMAINS), 2, seeds))
    floor = np.linspace(0, 0.05, len(DOMAINS))
    return Scores(("x", "y"), losses, floor, floor + 1, DOMAINS, TASKS, SPLITS)


def naive(scores, rng, levels=LEVELS):
    """One resample of the mean over domains of regrets, y minus x."""

    def members(pool, level):
        pool = sorted(set(pool))
        return [pool[k] for k in rng.integers(0, len(pool), len(pool))] if level in levels else pool

    rows = [*zip(scores.domains, scores.tasks, scores.splits, strict=True)]
    domains = []
    for domain in members([d for d, _, _ in rows], "domain"):
        tasks = []
        for task in members([t for d, t, _ in rows if d == domain], "task"):
            splits = []
            for split in members([s for d, t, s in rows if (d, t) == (domain, task)], "split"):
                row = rows.index((domain, task, split))
                pick = members(range(scores.losses.shape[2]), "seed")
                excess = scores.losses[row][:, pick].mean(1) - scores.floor[row]
                splits.append(np.diff(np.log(excess + 0.01))[0])
            tasks.append(np.mean(splits))
        domains.append(np.mean(tasks))
    return np.mean(domains)


def regret(y):
    return y[:, 1] - y[:, 0]


def test_domains_weigh_equally_and_so_do_the_tasks_of_each():
    y = np.array([1.0, 2, 3, 4, 5, 6])
    # digits 6; text (1 + 3)/2; wine ((2 + 5)/2 + 4)/2
    np.testing.assert_allclose(domain_means(made(), y), [6, 2, 3.75])
    np.testing.assert_allclose(domain_means(made(), y > 2.5), [1, 0.5, 0.75])


def test_the_logarithm_comes_after_the_mean_over_seeds_and_a_diverged_run_is_capped():
    scores = made(seeds=2)
    losses = scores.losses.copy()
    losses[0, 0] = [0.2, np.nan]
    y = replace(scores, losses=losses).scores[0, 0]
    assert y == pytest.approx(np.log((0.2 + 2) / 2 + 0.01))


@pytest.mark.parametrize("levels", [LEVELS, *((level,) for level in LEVELS), ("task", "seed"), ()])
def test_resamples_are_those_of_a_loop(levels):
    """Mean and spread, which is off by 1.3 % in 3,000 draws: 4 times that is allowed."""
    scores, rng = made(), np.random.default_rng(1)
    drawn = resample(scores, regret, levels, 3000).mean(1)
    loop = np.array([naive(scores, rng, levels) for _ in range(3000 if levels else 1)])
    assert drawn.std() == pytest.approx(loop.std(), rel=0.075, abs=1e-12)
    assert drawn.mean() == pytest.approx(loop.mean(), abs=4 * loop.std() / 38 + 1e-12)


def test_seeds_are_drawn_together_and_resamples_depend_on_nothing_but_their_seed():
    scores = made()
    same = replace(scores, losses=scores.losses[:, [0, 0]])
    assert np.abs(resample(same, regret, resamples=50)).max() < 1e-12
    both = resample(scores, lambda y: y, resamples=700, seed=3)  # more than a block
    assert both.shape == (700, 3, 2)
    np.testing.assert_array_equal(both, resample(scores, lambda y: y, resamples=700, seed=3))
    np.testing.assert_allclose(
        both[..., 1] - both[..., 0], resample(scores, regret, resamples=700, seed=3)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": ("x",)}, "1 methods"),
        ({"splits": np.zeros(6)}, "some twice"),
        ({"chance_loss": np.zeros(6)}, "above the floor"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(change, message):
    with pytest.raises((ValueError, TypeCheckError)):  # the latter where shapes are checked
        replace(made(), floor=np.zeros(5))
    with pytest.raises(ValueError, match=message):
        replace(made(), **change)
    with pytest.raises(ValueError, match="one of x, y, got 'z'"):
        made().column("z")
