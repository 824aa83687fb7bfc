"""Orders of rows are those of JAX, to the bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.lab.tasks.order import order_of, permutation, stable_order


@pytest.mark.parametrize("count", [1, 2, 3, 150, 1625, 1626, 4432, 70_000])
def test_a_permutation_is_jaxs(count):
    """1,625 rows take one round of sorting, 1,626 two."""
    key = jax.random.key(count)
    assert np.array_equal(permutation(key, count), jax.random.permutation(key, count))


def test_permutations_of_many_keys_in_one_program_are_jaxs():
    keys = jax.random.split(jax.random.key(0), 6).reshape(3, 2)

    def drawn(draw):
        return jax.jit(lambda keys: jax.lax.map(jax.vmap(lambda key: draw(key, 97)), keys))(keys)

    found = drawn(permutation)
    assert np.array_equal(found, drawn(jax.random.permutation))
    assert found.dtype == jnp.int32


def test_equal_keys_stay_in_order():
    keys = jnp.asarray([3, 1, 3, 0, 1, 2**32 - 1, 3], jnp.uint32)
    assert stable_order(keys).tolist() == [3, 1, 4, 0, 2, 6, 5]


def test_floats_are_ordered_as_they_are():
    drawn = jax.random.uniform(jax.random.key(1), (500,)).round(2)
    drawn = jnp.where(jnp.arange(500) % 7 == 0, 2.0, drawn)
    assert np.array_equal(order_of(drawn), jnp.argsort(drawn))
