"""Which tasks a generation has, and what a search lowers."""

import numpy as np

from psi.fit.feedback.objective import drawn, objective, pairs


def test_the_worst_tenth_counts_more() -> None:
    regret = np.stack([np.zeros(20), np.r_[np.zeros(18), 2.0, 1.0]], axis=1)
    assert objective(regret).tolist() == [0.0, 3 / 20 + 0.3 * 1.5]
    assert objective(regret[:, ::-1]).tolist() == objective(regret)[::-1].tolist()


def test_a_generation_has_pairs_of_every_shape(pool) -> None:
    found = drawn(pool, np.random.default_rng(0))
    assert len(set(found.tolist())) == len(found)
    shapes = [pool.entries[k].shape for k in found]
    for shape, count in pairs(pool).items():
        assert shapes.count(shape) == 2 * count


def test_draws_follow_the_generator_and_spare_the_largest_domain(pool) -> None:
    same = [drawn(pool, np.random.default_rng(3)).tolist() for _ in range(2)]
    assert same[0] == same[1]
    rng = np.random.default_rng(0)
    domains = np.array([each.domain for each in pool.entries])
    many = np.concatenate([drawn(pool, rng) for _ in range(400)])
    name, count = np.unique(domains, return_counts=True)
    most = name[count.argmax()]
    # By 1/√n its share is below that among the tasks: far beyond what 400 draws differ by.
    assert (domains[many] == most).mean() < 0.9 * count.max() / count.sum()
