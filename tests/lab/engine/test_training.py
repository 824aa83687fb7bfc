"""A mean taken block by block, against the plain one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.lab.engine.training import BLOCK, mean_in_blocks
from psi.lab.tasks.task import Batch


@pytest.mark.parametrize("rows", [1, BLOCK, 2 * BLOCK - 1, 2 * BLOCK, 3 * BLOCK + 1, 5 * BLOCK])
def test_every_row_counts_once(rows):
    x = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
    batch = Batch(jnp.asarray(x), jnp.arange(rows, dtype=float))

    def loss(some):
        return jnp.square(some.x.sum(1) + some.y).mean()

    plain = np.square(x.astype(np.float64).sum(1) + np.arange(rows)).mean()
    np.testing.assert_allclose(jax.jit(mean_in_blocks, static_argnums=0)(loss, batch), plain, 2e-6)


def test_a_loss_that_is_not_finite_stays_so():
    rows = 3 * BLOCK + 7
    for bad in (0, rows - 1):
        y = jnp.zeros(rows).at[bad].set(jnp.inf)
        batch = Batch(jnp.zeros((rows, 1)), y)
        assert mean_in_blocks(lambda some: some.y.mean(), batch) == jnp.inf
