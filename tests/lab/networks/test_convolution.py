"""The convolutional network against plain numpy."""

from functools import partial

import numpy as np
import pytest

from psi.lab.networks.convolution import cnn
from tests.lab.networks.plain import (
    ACTS,
    check_outputs_and_gradients,
    check_products_alone,
    check_rows_independent,
    check_single_precision,
    either,
    line,
    numbers,
)

pytestmark = pytest.mark.slow  # many programs are compiled


def plain_cnn(act, normalised, params, x):
    """Position by position, a 3×3 window of all channels at a time."""
    layers, last = params
    h = x.reshape(1, 8, 8)
    for weights, bias in layers:
        channels, height, width = h.shape
        kernel = weights.reshape(-1, 3, 3, channels).transpose(0, 3, 1, 2)
        out = np.empty((len(bias), height, width))
        padded = np.pad(h, ((0, 0), (1, 1), (1, 1)))
        for i, j in np.ndindex(height, width):
            sums = (kernel * padded[:, i : i + 3, j : j + 3]).sum((1, 2, 3)) + bias
            out[:, i, j] = ACTS[act](either(normalised, sums))
        h = (out[:, ::2, ::2] + out[:, 1::2, ::2] + out[:, ::2, 1::2] + out[:, 1::2, 1::2]) / 4
    return line(last, h.ravel())


CASES = {
    "two stages": (cnn((8, 8), 4, 3), partial(plain_cnn, "relu", False)),
    "three": (cnn((8, 8), 4, 3, 3, "tanh", 1.0, True), partial(plain_cnn, "tanh", True)),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_against_a_plain_network(name):
    check_outputs_and_gradients(*CASES[name], *numbers())


def test_in_single_precision():
    check_single_precision(*CASES["two stages"], *numbers())


def test_a_population_is_products_alone():
    check_products_alone(CASES["two stages"][0], *numbers())


def test_rows_do_not_see_each_other():
    check_rows_independent(CASES["two stages"][0], numbers()[0])
