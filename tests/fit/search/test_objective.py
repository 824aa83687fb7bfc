"""Losses at the end of trainings under laws, with and without a probed scale."""

import jax.numpy as jnp
import numpy as np
import pytest

from psi.fit.formula.families import RELATIVE
from psi.fit.search.arena import arena
from psi.fit.search.objective import (
    Lane,
    Population,
    TrainingTask,
    charged,
    law_losses,
    scales_of,
)
from psi.lab.engine.probe import GRADIENTS
from psi.law.features import Observation
from tests.fit.search.planted import DOMAIN, KEY, LINEAR, POWER, quadratic


def test_a_vector_that_is_longer_than_the_formula_needs():
    """One padded vector for two formulas, which take their own numbers from its beginning."""
    vector = jnp.array([np.log(0.2), 0.5, 9.0])
    where = arena(
        [LINEAR, POWER], [TrainingTask(quadratic(4), 0.0, KEY)], RELATIVE, DOMAIN, False, KEY
    )
    seen = Observation(3.0, 4.0, 0.3, 1.0, 0.3, 1.0, 1.0, 1.0, 100.0)
    for number, rate in ((0, 0.2 * 0.25), (1, 0.2 * 0.25**0.5)):
        policy = where.policy(Lane(number, vector, 1.0))
        assert policy.step(policy.init(seen), seen)[1] == pytest.approx(rate)


def test_a_scale_multiplies_and_its_probe_is_paid_for():
    """h = 2 gives α_0 = 1/2: a law of 0.6 with that scale is one of 0.3 over fewer epochs."""
    task, seeds = quadratic(20), np.arange(4)
    short = charged(task)
    assert short.facts.epochs == 20 - GRADIENTS  # one step an epoch
    np.testing.assert_allclose(scales_of(short, seeds, KEY), 0.5, rtol=2e-3)
    where = arena([LINEAR], [TrainingTask(task, 0.0, KEY)], RELATIVE, DOMAIN, True, KEY)
    scaled = where.regrets([0], [np.log([[0.6]])], seeds)
    pure = where._replace(scaled=False, tasks=(TrainingTask(short, 0.0, KEY),))
    np.testing.assert_allclose(scaled, pure.regrets([0], [np.log([[0.3]])], seeds), rtol=2e-2)


def test_law_losses_are_capped():
    task = quadratic()
    where = arena([LINEAR], [TrainingTask(task, 0.0, KEY)], RELATIVE, DOMAIN, False, KEY)
    wild = Population(np.zeros(1, int), np.log([[10.0]]))
    found = law_losses(task, where.policy, wild, np.ones(2), np.arange(2), KEY)
    assert np.isfinite(found).all()
