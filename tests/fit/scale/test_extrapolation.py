"""Power laws on networks larger than those that they were fitted to, against planted exponents."""

import numpy as np
import pytest

from psi.fit.scale.extrapolation import on_larger, smaller
from psi.fit.scale.facts import FactSet
from psi.fit.scale.linear import Candidate
from psi.fit.scale.tuned import tuned_tasks
from tests.fit.scale.planted import WEIGHTS, planted

EVERY = Candidate(FactSet("planted", tuple(WEIGHTS)), 1e-3)


def test_what_goes_on_as_a_power_law_is_near_the_best_rate_of_larger_networks():
    """While one rate for all is far off there; nothing is fitted to what is left out."""
    made = planted(0, domains=8, each=20, spread=0.1)
    tasks = tuned_tasks(made.atlas, "adam", "validation")
    large = float(np.sort(tasks.facts["parameters"])[128])
    found = on_larger(tasks, EVERY, large)
    assert (found.parameters >= large).all()
    assert len(found) == 32 == len(tasks.facts) - len(smaller(tasks, large).facts)
    assert found.parameters.is_monotonic_increasing
    assert np.abs(found.log_rate - found.log_best).mean() < 0.4
    one = on_larger(tasks, Candidate(FactSet("one rate", ()), 1e-3), large)
    assert (one.log_rate - one.log_best).mean() > 0.3
    assert found.regret.mean() < one.regret.mean() - 0.1
    below = (tasks.facts["parameters"] < large).to_numpy(copy=True)
    below[int(tasks.facts["parameters"].argmax())] = True
    assert on_larger(tasks.take(below), EVERY, large).log_rate.tolist() == [found.log_rate.iloc[-1]]
    for none in (1.0, 1e99):
        with pytest.raises(ValueError, match="and smaller ones, are needed"):
            on_larger(tasks, EVERY, none)
