"""The regret by the number of tasks."""

import numpy as np
import pytest

from psi.fit.scale.facts import FactSet
from psi.fit.scale.learning_curve import learning_curve
from psi.fit.scale.linear import Candidate
from psi.fit.scale.tuned import tuned_tasks
from tests.fit.scale.planted import WEIGHTS, planted


@pytest.mark.slow
def test_it_falls_and_becomes_flat():
    tasks = tuned_tasks(planted(0, domains=9, each=20).atlas, "adam", "validation")
    candidate = Candidate(FactSet("", tuple(WEIGHTS)))
    table = learning_curve(tasks, candidate, (10, 30, 90, 1000), draws=4)
    assert table.tasks.tolist() == [10, 30, 90, 160]
    assert (np.diff(table.regret) < 0.005).all()
    assert table.regret[0] > table.regret[3] + 0.05
    assert table.fall_low[1] > 0
    assert table.fall[3] < 0.01
    assert np.isnan(table.fall[0])
    np.testing.assert_allclose(table.fall[1:], -np.diff(table.regret))


def test_the_same_seed_draws_the_same_tasks():
    tasks = tuned_tasks(planted(0, domains=4, each=8).atlas, "adam", "validation")
    one, other = (learning_curve(tasks, Candidate(FactSet("", ())), (8,), 2) for _ in range(2))
    assert one.equals(other)
