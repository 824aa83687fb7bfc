"""The multilayer perceptron against plain numpy."""

from functools import partial

import pytest

from psi.lab.networks.mlp import mlp
from tests.lab.networks.plain import (
    ACTS,
    check_outputs_and_gradients,
    either,
    line,
    numbers,
)

pytestmark = pytest.mark.slow  # many programs are compiled


def plain_mlp(act, normalised, params, x):
    *hidden, last = params
    for layer in hidden:
        x = ACTS[act](either(normalised, line(layer, x)))
    return line(last, x)


CASES = {
    "normalised": (mlp(64, 4, 5, 2, "tanh", 1.0, True), partial(plain_mlp, "tanh", True)),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_against_a_plain_network(name):
    check_outputs_and_gradients(*CASES[name], *numbers())
