"""The table of optimizers: its bounds, and what reading them costs."""

import subprocess
import sys

import optax
import pytest

from psi.lab.optimizers import HIGHEST, LOWEST, OPTIMIZERS, bounds, optimizer, own_optimizer


@pytest.mark.parametrize("name", OPTIMIZERS.names)
def test_bounds_are_rates_two_decades_apart(name):
    low, high = bounds(name)
    assert LOWEST <= low < high <= HIGHEST
    assert high / low >= 100


def test_reading_bounds_imports_no_framework():
    code = "import sys, psi.lab.optimizers; print('jax' in sys.modules, 'optax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_name_is_always_the_same_object():
    assert optimizer("adam") is optimizer("adam")
    assert optimizer("adam") is not optimizer("adam", 0.1)


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"unknown optimizer 'lion'; allowed: sgd, momentum"):
        optimizer("lion")


@pytest.mark.parametrize("rates", [(0.0, 1.0), (1.0, 1.0), (1.0, float("inf"))])
def test_bounds_of_one_s_own_must_be_rates(rates):
    with pytest.raises(ValueError, match="0 < low < high < inf"):
        own_optimizer("lion", optax.scale_by_lion, *rates)
