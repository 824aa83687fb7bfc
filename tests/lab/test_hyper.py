"""Hyperparameters that make no sense are named."""

import pytest

from psi.lab.hyper import Hyper


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "got 0"),
        ({"epochs": -3}, "got -3"),
        ({"optimizer": "lion"}, "lion"),
        ({"network": "vgg"}, "vgg"),
        ({"activation": "sine"}, "sine"),
        ({"batch": 0}, "batch must be >= 1, got 0"),
        ({"width": -1}, "width must be >= 1"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"init_scale": 0.0}, "init_scale"),
        ({"precision": "half"}, "unknown precision 'half'"),
    ],
)
def test_hyperparameters_that_make_no_sense_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        Hyper(**change)
