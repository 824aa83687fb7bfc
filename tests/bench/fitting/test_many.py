"""Memory of fits to very many rows."""

import os

import pytest

from psi.bench.fitting import many


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux tells it")
def test_the_most_memory_so_far_is_that_of_the_system():
    with open("/proc/self/status") as status:
        (peak,) = (int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    assert many.peak_gigabytes() == pytest.approx(peak * 1024 / 1e9, rel=0.05)
