"""Every optimizer has bounds, and reading them costs nothing."""

import subprocess
import sys

import pytest

from psi.lab.bounds import BOUNDS
from psi.lab.data.config import OPTIMIZER_NAMES


def test_every_optimizer_has_bounds():
    assert tuple(name for name, _ in BOUNDS) == OPTIMIZER_NAMES


@pytest.mark.parametrize(("name", "bounds"), BOUNDS)
def test_bounds_are_rates_two_decades_apart(name, bounds):
    low, high = bounds
    assert 1e-5 <= low < high <= 10
    assert high / low >= 100


def test_reading_bounds_imports_no_framework():
    code = "import sys, psi.lab.bounds; print('jax' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "False"
