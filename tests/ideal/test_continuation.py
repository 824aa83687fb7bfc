"""What follows a candidate: rates written down by hand, and a law that takes over."""

import jax.numpy as jnp
import pytest

from psi.ideal.continuation import CONSTANT, LINEAR, Candidate, law_continuation
from psi.law.clock import Clock
from psi.law.expression import Apply, Constant, Variable
from psi.law.features import Observation
from psi.law.law import Law, Range

CANDIDATE = Candidate(jnp.asarray(0.8), jnp.asarray(2), jnp.asarray(6))
"""α of epoch 2, played to the end of epoch 5."""
ANY = Observation(*(jnp.asarray(1.0) for _ in Observation._fields))
LOSSES = (1.0, 0.5, 0.25, 2.0)
"""Before epochs 2 … 5."""


def rates(continuation):
    policy = continuation.policy(CANDIDATE)
    state, found = policy.init(ANY), []
    for i, loss in enumerate(LOSSES, 2):
        seen = ANY._replace(epoch=jnp.asarray(i), loss=jnp.asarray(loss))
        state, rate = policy.step(state, seen)
        found.append(float(rate))
    return found


def test_constant_and_linear_to_zero_after_the_last_epoch():
    assert rates(CONSTANT) == pytest.approx([0.8] * 4)
    assert rates(LINEAR) == pytest.approx([0.8, 0.6, 0.4, 0.2])


def test_a_law_takes_over_after_the_candidates_epoch():
    """α = 0.1 ε within 0 … 1 from epoch 3 on, whatever the candidate was."""
    model = Apply("mul", (Constant(0.1), Variable("loss")))
    law = Law(model, ("loss",), (Range(1e-3, 1.0),), Range(1e-4, 1.0), "sgd", 1.0)
    found = rates(law_continuation("mine", Clock(law, 6)))
    assert found == pytest.approx([0.8, 0.05, 0.025, 0.1])
