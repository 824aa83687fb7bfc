"""The residual network against plain numpy."""

from functools import partial

import pytest

from psi.lab.networks.residual import residual
from tests.lab.networks.plain import (
    ACTS,
    check_outputs_and_gradients,
    check_products_alone,
    check_single_precision,
    either,
    line,
    numbers,
)

pytestmark = pytest.mark.slow  # many programs are compiled


def plain_residual(act, normalised, params, x):
    first, blocks, last = params
    h = line(first, x)
    for inward, outward in blocks:
        h = h + line(outward, ACTS[act](line(inward, either(normalised, h))))
    return line(last, h)


CASES = {
    "one block": (residual(64, 4, 5, 1), partial(plain_residual, "relu", False)),
    "two": (residual(64, 4, 5, 2, "gelu", 1.0, True), partial(plain_residual, "gelu", True)),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_against_a_plain_network(name):
    check_outputs_and_gradients(*CASES[name], *numbers())


def test_in_single_precision():
    check_single_precision(*CASES["one block"], *numbers())


def test_a_population_is_products_alone():
    check_products_alone(CASES["one block"][0], *numbers())
