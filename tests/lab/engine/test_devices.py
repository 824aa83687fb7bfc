"""What runs beside what."""

import threading

import pytest

from psi.lab.engine.devices import BESIDE, beside


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
