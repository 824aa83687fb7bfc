"""Short-horizon bias measured on a problem where it is known."""

import jax
import numpy as np
import pytest

from psi.ideal.bias import horizon_bias, horizons_of
from psi.ideal.continuation import LINEAR
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

KEY = jax.random.key(5)
GRID = np.geomspace(0.01, 1.0, 10)


@pytest.mark.slow
def test_longer_horizons_choose_higher_rates_and_end_lower():
    """G4's bias (Wu et al. 2018), measured on fresh seeds."""
    task = make_task("noisy_quadratic_3d", Hyper(epochs=16))
    table = horizon_bias(task, np.geomspace(0.01, 0.2, 7), KEY, (1, 16), LINEAR, 2048)
    rows = table.groupby("horizon").first()
    assert rows.mean_lr[16] > 1.3 * rows.mean_lr[1]
    assert rows.regret[16] == 0
    assert rows.regret_low[1] > 0.02
    assert horizons_of(20) == (1, 2, 4, 8, 16, 20)
    assert horizons_of(16) == (1, 2, 4, 8, 16)
    with pytest.raises(ValueError, match=r"1 … 16.*got \[17\]"):
        horizon_bias(task, GRID, KEY, (17,))
