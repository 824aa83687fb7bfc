"""CMA-ES over the numbers of a law, on functions whose least point is known."""

import jax
import numpy as np
import pytest

from psi.fit.search.evolution import PolishConfig, polish

KEY = jax.random.key(5)


@pytest.mark.slow
def test_polish_finds_the_bottom_of_two_bowls_at_once():
    """Σ (x − target)² of searches over two and three numbers, with noise of 0.01 a generation."""
    targets = (np.array([1.0, -0.5]), np.array([0.3, 0.6, -1.2]))
    asked = []

    def objective(vectors, seeds):
        asked.append((seeds[0], [len(v) for v in vectors]))
        noise = 0.01 * np.random.default_rng(seeds[0]).normal()
        return [((v - t) ** 2).sum(1) + noise for v, t in zip(vectors, targets, strict=True)]

    config = PolishConfig(population=12, generations=60, seeds=3, spread=0.5)
    found = polish(objective, [np.zeros(2), np.zeros(3)], config, KEY)
    for got, target in zip(found, targets, strict=True):
        np.testing.assert_allclose(got, target, atol=0.05)
    assert len({first for first, _ in asked}) == 60  # new seeds every generation
    assert all(sizes == [12, 12] for _, sizes in asked)


def test_a_law_that_diverges_is_worse_than_any():
    def objective(vectors, seeds):
        x = vectors[0][:, 0]
        return [np.where(x > 0.5, np.nan, (x - 0.4) ** 2)]

    found = polish(objective, [np.zeros(1)], PolishConfig(generations=40), KEY)
    assert found[0][0] == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"population": 3}, "population must be >= 4, got 3"),
        ({"generations": 0}, "generations must be >= 1, got 0"),
        ({"spread": 0.0}, "spread must be positive"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        PolishConfig(**change)


def test_more_dimensions_than_the_population_is_for_are_refused():
    with pytest.raises(ValueError, match="1 to 8 dimensions, got 9"):
        polish(lambda *_: [], [np.zeros(9)], PolishConfig(), KEY)
