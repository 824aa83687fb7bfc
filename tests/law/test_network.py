"""The network kind: against loops over single numbers in Python's own arithmetic."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest

from psi.law.law import Law
from psi.law.network import MAX_LAYERS, MAX_WIDTH, Layer, Network


def _naive(network: Network, point: list[float]) -> float:
    """exp(tanh(… tanh(z W + b) …) W + b), one multiplication at a time."""
    z = []
    for feature, transform, shift, scale in zip(
        point, network.transforms, network.shift, network.scale, strict=True
    ):
        value = math.log(feature) if transform == "log" else feature
        z.append((value - float(shift)) / float(scale))
    for number, (weights, bias) in enumerate(network.layers):
        out = []
        for column in range(len(bias)):
            total = float(bias[column])
            for row in range(len(z)):
                total += z[row] * float(weights[row, column])
            out.append(total)
        hidden = number < len(network.layers) - 1
        z = [math.tanh(each) for each in out] if hidden else out
    (last,) = z
    return math.exp(last)


@pytest.fixture(scope="session")
def network(network_law: Law) -> Network:
    assert isinstance(network_law.model, Network)
    return network_law.model


def _points(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).uniform(0.05, 2.0, size=(3, *shape))


def test_it_is_what_loops_over_numbers_give(network: Network, xp: ModuleType) -> None:
    points = _points((50,))
    got = network(xp.asarray(points), xp)
    wanted = [_naive(network, [float(each) for each in point]) for point in points.T]
    assert np.asarray(got) == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize("width", [8, 40])
def test_of_one_point_it_is_the_same(xp: ModuleType, width: int) -> None:
    """Few weights go number by number in JAX, 1,720 of them layer by layer."""
    rng = np.random.default_rng(2)
    shapes = ((2, width), (width, width), (width, 1))
    layers = tuple(Layer(rng.normal(size=each) / 4, rng.normal(size=each[1])) for each in shapes)
    network = Network(("log", "identity"), np.array([0.5, -1.0]), np.array([2.0, 0.3]), layers)
    assert network._is_small() == (width == 8)
    for point in rng.uniform(0.05, 2.0, size=(20, 2)):
        got = network(xp.asarray(point), xp)
        assert np.shape(got) == ()
        assert float(got) == pytest.approx(_naive(network, point.tolist()), rel=1e-13)


def test_one_layer_is_enough(xp: ModuleType) -> None:
    # α = exp(log 3 · 2 + log 2) = 18.
    layer = Layer(np.array([[2.0]]), np.array([math.log(2)]))
    network = Network(("log",), np.zeros(1), np.ones(1), (layer,))
    assert float(network(xp.asarray([3.0]), xp)) == pytest.approx(18, rel=1e-14)


def test_trailing_axes_are_points(network: Network, xp: ModuleType) -> None:
    points = _points((4, 2))
    many = network(xp.asarray(points), xp)
    assert many.shape == (4, 2)
    for place in np.ndindex(4, 2):
        one = network(xp.asarray(points[:, *place]), xp)
        assert one.shape == ()
        assert np.asarray(many)[place] == pytest.approx(float(one), rel=1e-14)


def test_networks_are_equal_by_value(network: Network) -> None:
    twin = replace(network, shift=network.shift.copy())
    other = replace(network, shift=network.shift + 1)
    assert twin == network
    assert hash(twin) == hash(network)
    assert other != network
    assert network != "network"


def test_arrays_are_named_as_in_a_file(network: Network) -> None:
    names = [name for name, _ in network.arrays()]
    hidden = ["weights.0", "bias.0", "weights.1", "bias.1", "weights.2", "bias.2"]
    assert names == ["shift", "scale", *hidden]
    assert dict(network.arrays())["bias.1"] is network.layers[1].bias


def _layers(*widths: int) -> tuple[Layer, ...]:
    return tuple(Layer(np.zeros((m, n)), np.zeros(n)) for m, n in pairwise(widths))


WRONG: dict[str, tuple[Callable[[Network], Network], str]] = {
    "unknown transform": (
        lambda n: replace(n, transforms=("log", "sin", "log")),
        "unknown transform 'sin'",
    ),
    "fewer transforms": (lambda n: replace(n, transforms=("log",)), "shift must have shape"),
    "shift of wrong shape": (lambda n: replace(n, shift=np.zeros(2)), "shift must have shape"),
    "shift with an axis more": (lambda n: replace(n, shift=np.zeros((3, 1))), "shift must have"),
    "shift not finite": (lambda n: replace(n, shift=np.full(3, np.inf)), "shift must be finite"),
    "shift of integers": (lambda n: replace(n, shift=np.zeros(3, dtype=int)), "floating-point"),
    "shift complex": (lambda n: replace(n, shift=np.zeros(3, dtype=complex)), "floating-point"),
    "scale not finite": (lambda n: replace(n, scale=np.full(3, np.nan)), "scale must be finite"),
    "scale zero": (lambda n: replace(n, scale=np.array([1.0, 0.0, 1.0])), "must be positive"),
    "scale negative": (lambda n: replace(n, scale=np.array([1.0, 1.0, -1.0])), "must be positive"),
    "no layers": (lambda n: replace(n, layers=()), "1 to 16 layers, got 0"),
    "too many layers": (
        lambda n: replace(n, layers=_layers(3, *[1] * (MAX_LAYERS + 1))),
        "1 to 16 layers, got 17",
    ),
    "too wide": (lambda n: replace(n, layers=_layers(3, MAX_WIDTH + 1, 1)), "1025 wide"),
    "a layer of no width": (lambda n: replace(n, layers=_layers(3, 0, 1)), "0 wide"),
    "two outputs": (lambda n: replace(n, layers=_layers(3, 4, 2)), "weights of layer 1"),
    "wrong inputs": (lambda n: replace(n, layers=_layers(2, 4, 1)), "weights of layer 0"),
    "layers that do not chain": (
        lambda n: replace(n, layers=(*_layers(3, 4), *_layers(5, 1))),
        "weights of layer 1",
    ),
    "bias of wrong shape": (
        lambda n: replace(n, layers=(Layer(np.zeros((3, 1)), np.zeros(())),)),
        "bias of layer 0",
    ),
    "weights not finite": (
        lambda n: replace(n, layers=(Layer(np.full((3, 1), np.nan), np.zeros(1)),)),
        "weights of layer 0 must be finite",
    ),
    "bias not finite": (
        lambda n: replace(n, layers=(Layer(np.zeros((3, 1)), np.full(1, -np.inf)),)),
        "bias of layer 0 must be finite",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_network_is_refused(network: Network, wrong: str) -> None:
    make, reason = WRONG[wrong]
    with pytest.raises(ValueError, match=reason):
        make(network)


def test_the_widest_and_the_deepest_are_accepted(network: Network) -> None:
    replace(network, layers=_layers(3, MAX_WIDTH, 1))
    replace(network, layers=_layers(3, *[1] * MAX_LAYERS))
