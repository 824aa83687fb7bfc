"""Shares of the variance of the best rates: they add to one and are those planted."""

import numpy as np
import pytest

from psi.fit.scale.facts import SETS, FactSet, design
from psi.fit.scale.tuned import tuned_tasks
from psi.fit.scale.variance import SHARES, components, shares, variance_shares
from tests.fit.scale.planted import WEIGHTS, planted

PLANTED = FactSet("planted", tuple(WEIGHTS))
NONE = np.zeros((0, 0))


def drawn(rng, between, within, domains=15, facts=3):
    """(values, facts of which the first is constant in a domain, number of the domain)."""
    sizes = rng.integers(3, 25, domains)
    number = np.repeat(np.arange(domains), sizes)
    x = rng.normal(size=(len(number), facts))
    x[:, 0] = rng.normal(size=domains)[number]
    y = x @ np.full(facts, 0.5) + np.sqrt(between) * rng.normal(size=domains)[number]
    return y + np.sqrt(within) * rng.normal(size=len(number)), x, number


def test_components_beside_facts_are_right_on_average():
    """400 unbalanced draws: the means' standard errors are below 3 and 1 %."""
    rng = np.random.default_rng(0)
    found = np.mean([components(*drawn(rng, 0.5, 0.2)) for _ in range(400)], axis=0)
    np.testing.assert_allclose(found, [0.5, 0.2], rtol=0.08)


def test_components_are_those_of_one_way_analysis_where_there_are_no_facts():
    y, x, number = drawn(np.random.default_rng(1), 0.5, 0.2)
    sizes = np.bincount(number)
    means = np.bincount(number, y) / sizes
    n, d = len(y), len(sizes)
    within = ((y - means[number]) ** 2).sum() / (n - d)
    square = (sizes * (means - y.mean()) ** 2).sum() / (d - 1)
    between = (square - within) / ((n - (sizes**2).sum() / n) / (d - 1))
    np.testing.assert_allclose(components(y, x[:, :0], number), (between, within))


@pytest.mark.parametrize("seed", range(3))
def test_shares_add_to_one(seed):
    rng = np.random.default_rng(seed)
    y, x, number = drawn(rng, 0.3, 0.1, domains=8)
    for error in (0.0, 0.1, 9.0):
        for facts in (x, x[:, :0], x[:, :1], np.concatenate([x, 2 * x], axis=1)):
            found = shares(y, np.full(len(y), error), facts, number)
            assert found.sum() == pytest.approx(1)
            assert (found >= 0).all()


def test_noise_of_the_label_is_told_from_what_is_unexplained():
    """Declared noise of variance 0.06 and unexplained variance 0.04 within domains."""
    rng = np.random.default_rng(4)
    y, x, number = drawn(rng, 0.0, 0.04, domains=40)
    error = 0.06**0.5
    y = y + error * rng.normal(size=len(y))
    total = y.var()
    found = dict(zip(SHARES, shares(y, np.full(len(y), error), x, number), strict=True))
    assert found["noise of the label"] * total == pytest.approx(0.06, rel=0.15)
    assert found["unexplained"] * total == pytest.approx(0.04, rel=0.3)
    assert found["domain, else"] < 0.02


def test_shares_of_an_atlas_are_those_planted():
    """Domains 0.4 and tasks 0.3 nats apart beside the facts, of six atlases together."""
    ratios = []
    for seed in range(6):
        made = planted(seed, domains=20, each=10, domain_spread=0.4, spread=0.3)
        tasks = tuned_tasks(made.atlas, "adam", "validation")
        table = variance_shares(tasks, PLANTED).set_index("part")
        assert table.share.sum() == pytest.approx(1)
        assert (table.low <= table.share).all()
        assert (table.share <= table.high).all()
        ratios.append(table.share["domain, else"] / table.share["unexplained"])
        assert table.share["domain, by facts"] > table.share["domain, else"]
    assert np.mean(ratios) == pytest.approx(0.4**2 / 0.3**2, rel=0.35)


def test_too_few_domains_or_tasks_are_refused():
    tasks = tuned_tasks(planted(0, domains=2, each=8).atlas, "adam", "validation")
    with pytest.raises(ValueError, match="got 2 domains"):
        variance_shares(tasks, PLANTED)
    few = tuned_tasks(planted(0, domains=3, each=4).atlas, "adam", "validation")
    with pytest.raises(ValueError, match="8 tasks, 14 constants"):
        variance_shares(few, SETS[-1])
    assert design(few.facts, SETS[0]).shape[1] == 0
