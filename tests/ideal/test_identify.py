"""Whether ε and i can be separated: one curve, a cloud, noise, and what cannot be asked."""

import numpy as np
import pandas as pd
import pytest

from psi.ideal.identify import identifiability


def table_of(loss, epoch, lr, tasks=6):
    return pd.DataFrame(
        {
            "task": [f"t{k % tasks}" for k in range(len(loss))], "loss": loss, "initial_loss": 1.0,
            "epoch": epoch, "epochs": 10, "lr": lr, "log_lr_error": 0.05, "sure": True,
        }
    )  # fmt: skip


def test_one_curve_tells_nothing_apart_and_a_cloud_does():
    rng = np.random.default_rng(0)
    epoch = rng.integers(0, 10, 120)
    curve = 1 / (1 + epoch)
    found = identifiability(table_of(curve, epoch, curve))
    assert found.condition == np.inf
    assert "not told apart" in found.verdict
    loss = np.exp(rng.uniform(-3, 0, 120))
    found = identifiability(table_of(loss, epoch, 0.3 * loss**0.7 * (1 - epoch / 12)))
    assert found.condition < 1.5
    assert found.error_both < 0.5 * min(found.error_loss, found.error_epoch)
    assert found.error_loss < found.error_epoch < 1.05 * found.error_constant
    assert found.left_out == "task"
    assert found.verdict.endswith("best from both")


def test_noise_is_not_predicted():
    rng = np.random.default_rng(1)
    loss, epoch = np.exp(rng.uniform(-3, 0, 120)), rng.integers(0, 10, 120)
    found = identifiability(table_of(loss, epoch, np.exp(rng.normal(size=120)), tasks=2))
    assert found.left_out == "cell"
    assert found.error_constant < 1.1 * min(found.error_loss, found.error_epoch, found.error_both)


def test_what_cannot_be_told():
    loss, epoch = np.linspace(0.1, 1, 30), np.arange(30) % 10
    with pytest.raises(ValueError, match="got 0 of 30"):
        identifiability(table_of(loss, epoch, loss).assign(sure=False))
    with pytest.raises(ValueError, match="all 30 cells are at one epoch"):
        identifiability(table_of(loss, 3, loss))
