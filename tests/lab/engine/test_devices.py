"""What runs beside what."""

import threading
from typing import Any

import jax
import pytest

from psi.lab.engine.devices import BESIDE, beside, forget_programs


def test_two_are_made_at_a_time_and_given_in_turn():
    barrier = threading.Barrier(BESIDE, timeout=30)  # passed by as many at a time, or never

    def make(x):
        barrier.wait()
        return x * x

    assert list(beside(make, range(2 * BESIDE))) == [x * x for x in range(2 * BESIDE)]


def test_what_goes_wrong_reaches_the_caller():
    def make(x):
        raise ValueError(f"no {x}")

    with pytest.raises(ValueError, match="no 0"):
        list(beside(make, range(3)))


def test_programs_are_forgotten_where_they_take_many_mappings():
    """A program that was compiled is compiled again, and gives the same."""
    double: Any = jax.jit(lambda x: 2 * x)
    assert double(1.0) == 2
    assert not forget_programs(most=10**9)
    assert double._cache_size() == 1
    assert forget_programs(most=0)
    assert double._cache_size() == 0
    assert double(1.0) == 2
