"""What runs beside what."""

import threading
from typing import Any

import jax
import pytest

from psi.lab.engine.devices import BESIDE, beside, forget_programs, use_cores


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


@pytest.mark.parametrize(
    ("asked", "cores", "made"), [(1, 8, 2), (3, 8, 3), (None, 8, 8), (None, 1, 2)]
)
def test_there_are_always_two_devices_or_more(asked, cores, made, monkeypatch):
    """For one XLA makes other programs."""
    told = []
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setattr(jax.config, "update", lambda *given: told.append(given))
    use_cores(asked)
    assert told == [("jax_num_cpu_devices", made)]
