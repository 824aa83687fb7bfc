"""Random orders of rows, the same bits as jax.random's and JAX's, several times as fast on CPUs.

XLA's CPU sort of one array is quick, of keys with values slow. So a key of 32 bits and its place
are one number of 64 bits, which sorts by key and then by place: the stable order of the keys. Of
4,432 rows a permutation took 1,560 µs of one core, this way 290.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Key, UInt32


def permutation(key: Key[Array, ""], count: int) -> Int[Array, " {count}"]:
    """`jax.random.permutation(key, count)`: as many rounds of sorting random bits as it takes."""
    order = jnp.arange(count)
    rounds = math.ceil(3 * math.log(max(1, count)) / math.log(2**32 - 1))
    for _ in range(rounds):
        key, own = jax.random.split(key)
        order = order[stable_order(jax.random.bits(own, (count,)))]
    return order


def order_of(values: Float[Array, " row"]) -> Int[Array, " row"]:
    """`jnp.argsort(values)` of float32 that are not below 0, whose bits are ordered as they are."""
    return stable_order(lax.bitcast_convert_type(values, jnp.uint32))


def stable_order(keys: UInt32[Array, " row"]) -> Int[Array, " row"]:
    """`jnp.argsort(keys)`, equal keys in the order of their places."""
    count = len(keys)
    with jax.enable_x64(True):
        # `lax` and not operators, which would widen the arrays of the program around it.
        high = lax.convert_element_type(keys, jnp.uint64)
        high = lax.shift_left(high, lax.full((count,), 32, jnp.uint64))
        both = lax.sort(lax.bitwise_or(high, lax.iota(jnp.uint64, count)))
        return lax.convert_element_type(both, jnp.int32)
