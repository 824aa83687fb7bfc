"""Hyperparameters that make no sense are refused when they are given."""

import subprocess
import sys

import pytest

from psi.lab.hyper import Hyper


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs, the length of a trajectory, must be >= 1, got 0"),
        ({"optimizer": "lbfgs"}, "unknown optimizer 'lbfgs'; allowed: sgd, momentum"),
        ({"activation": "sine"}, "unknown activation 'sine'; allowed: relu, tanh, gelu"),
        ({"network": "vit"}, "unknown network 'vit'; allowed: linear, mlp"),
        ({"precision": "int8"}, "unknown precision 'int8'"),
        ({"batch": 0}, "batch must be >= 1, got 0"),
        ({"depth": 0}, "depth must be >= 1, got 0"),
        ({"weight_decay": -1.0}, r"weight_decay must be in \[0, inf\), got -1.0"),
        ({"label_smoothing": 1.0}, r"label_smoothing must be in \[0, 1\), got 1.0"),
        ({"init_scale": float("inf")}, "init_scale must be positive and finite, got inf"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Hyper(**change)


def test_it_is_read_without_jax():
    code = "import sys, psi.lab.hyper; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
