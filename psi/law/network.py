"""A law as a small dense network, evaluated from plain arrays.

z = (transform(features) − shift) / scale;  z ← tanh(z W + b) for each hidden layer;
α = exp(z W + b) for the last one. `psi.fit.network` trains one and exports its weights to this.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from psi.law.namespace import Array, Namespace

TRANSFORMS: Mapping[str, Callable[[Namespace, Array], Array]] = MappingProxyType(
    {"identity": lambda _, x: x, "log": lambda xp, x: xp.log(x)}
)

MAX_WIDTH = 1024
MAX_LAYERS = 16
MAX_UNROLLED = 128  # weights; unrolling more makes XLA's programs very long


class Layer(NamedTuple):
    """One dense layer, z W + b."""

    weights: np.ndarray
    """shape=(inputs, outputs)"""
    bias: np.ndarray
    """shape=(outputs,)"""


@dataclass(frozen=True)
class Network:
    """Dense layers with tanh between them and exp at the end: positive rates.

    Args:
        transforms: for each feature "identity" or "log", taken before the shift.
        shift: shape (features,).
        scale: shape (features,), positive.
        layers: weights of shape (inputs, outputs) and bias of shape (outputs,) each; the last layer
            has one output.

    Raises:
        ValueError: shapes do not chain, a number is not finite or a scale is not positive.

    Example:
        >>> import numpy as np
        >>> from psi.law import Layer, Network
        >>> layers = (Layer(np.array([[-1.0]]), np.array([0.0])),)
        >>> network = Network(("log",), np.array([0.0]), np.array([1.0]), layers)
        >>> float(network(np.array([4.0]), np))  # exp(−log 4)
        0.25
    """

    transforms: tuple[str, ...]
    shift: np.ndarray
    scale: np.ndarray
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        inputs = len(self.transforms)
        for name in self.transforms:
            if name not in TRANSFORMS:
                raise ValueError(f"unknown transform {name!r:.60}; known: {', '.join(TRANSFORMS)}")
        for what, array in (("shift", self.shift), ("scale", self.scale)):
            _check(what, array, (inputs,))
        if not (self.scale > 0).all():
            raise ValueError(f"scale must be positive, got {self.scale}")
        _check_layers(self.layers, inputs)

    def __call__(self, features: Array, xp: Namespace) -> Array:
        """α for features of shape (features, …)."""
        if xp is not np and np.ndim(features) == 1 and self._is_small():
            return self._unrolled(features, xp)
        ones = (1,) * (np.ndim(features) - 1)
        rows = [TRANSFORMS[t](xp, f) for t, f in zip(self.transforms, features, strict=True)]
        z = xp.stack(rows)
        z = (z - self.shift.reshape(-1, *ones)) / self.scale.reshape(-1, *ones)
        for layer in self.layers[:-1]:
            z = xp.tanh(_dense(layer, z, ones, xp))
        return xp.exp(_dense(self.layers[-1], z, ones, xp)[0])

    def _unrolled(self, features: Array, xp: Namespace) -> Array:
        """α at one point, number by number, so that XLA fuses all of it into one loop.

        As array operations, each sum of a layer is a thunk of its own, which in a training step
        waits behind matrix products: that costs 0.2 ms of a step of 4 ms.
        """
        features = xp.asarray(features, dtype=float)
        rows = zip(self.transforms, features, self.shift.tolist(), self.scale.tolist(), strict=True)
        z = [(TRANSFORMS[name](xp, f) - shift) / scale for name, f, shift, scale in rows]
        for layer in self.layers[:-1]:
            z = [xp.tanh(each) for each in _scalars(layer, z)]
        return xp.exp(_scalars(self.layers[-1], z)[0])

    def _is_small(self) -> bool:
        weights = sum(layer.weights.size for layer in self.layers)
        return len(self.layers) <= 3 and weights <= MAX_UNROLLED

    def __eq__(self, other: object) -> bool:
        # The __eq__ of a dataclass would ask for the truth value of an array.
        return isinstance(other, Network) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[object, ...]:
        arrays = [(each.shape, np.asarray(each, float).tobytes()) for _, each in self.arrays()]
        return self.transforms, *arrays

    def arrays(self) -> tuple[tuple[str, np.ndarray], ...]:
        """(name in a law file, array) of every array."""
        named = [("shift", self.shift), ("scale", self.scale)]
        for number, layer in enumerate(self.layers):
            named += [(f"weights.{number}", layer.weights), (f"bias.{number}", layer.bias)]
        return tuple(named)


def _dense(layer: Layer, z: Array, ones: tuple[int, ...], xp: Namespace) -> Array:
    # A sum of products, not a matrix product: accelerators may round the latter to 10 bits.
    products = layer.weights.reshape(*layer.weights.shape, *ones) * z[:, None]
    return xp.sum(products, axis=0) + layer.bias.reshape(-1, *ones)


def _scalars(layer: Layer, z: Sequence[Array]) -> list[Array]:
    columns = zip(layer.weights.T.tolist(), layer.bias.tolist(), strict=True)
    return [sum((w * a for w, a in zip(each, z, strict=True)), bias) for each, bias in columns]


def _check_layers(layers: tuple[Layer, ...], inputs: int) -> None:
    if not 1 <= len(layers) <= MAX_LAYERS:
        raise ValueError(f"a network has 1 to {MAX_LAYERS} layers, got {len(layers)}")
    for number, layer in enumerate(layers):
        last = number == len(layers) - 1
        outputs = 1 if last else np.size(layer.bias)
        if not 1 <= outputs <= MAX_WIDTH:
            raise ValueError(f"layer {number} is {outputs} wide; allowed: 1 to {MAX_WIDTH}")
        _check(f"weights of layer {number}", layer.weights, (inputs, outputs))
        _check(f"bias of layer {number}", layer.bias, (outputs,))
        inputs = outputs


def _check(what: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{what} must have shape {shape}, got {array.shape}")
    if not (np.issubdtype(array.dtype, np.floating) and np.isfinite(array).all()):
        raise ValueError(f"{what} must be finite floating-point numbers")
