"""H: every hyperparameter of a training but the learning rate, checked without importing JAX."""

import math
from dataclasses import dataclass

from psi.lab.optimizers import OPTIMIZERS
from psi.law.checks import at_least, check_positive, unknown

NETWORK_NAMES = ("linear", "mlp", "residual", "cnn", "gru", "transformer")
ACTIVATION_NAMES = ("relu", "tanh", "gelu")
PRECISION_NAMES = ("float32", "bfloat16")
INITIALISATION_NAMES = ("he", "pytorch", "keras", "flax")


@dataclass(frozen=True)
class Hyper:
    """H: every hyperparameter of a training but the learning rate. None: the task's own default.

    Raises:
        ValueError: where a name is unknown or a number makes no sense.

    Example:
        >>> import psi
        >>> task = psi.make_task("wine", psi.Hyper(epochs=10, optimizer="adam", width=8))
        >>> task.facts.epochs, task.facts.optimizer, task.facts.parameters
        (10, 'adam', 139)
    """

    epochs: int = 20
    """T, the length of a trajectory."""
    optimizer: str = "sgd"
    """sgd, momentum, momentum_ema, nesterov, adagrad, adadelta, rmsprop, adam, adamw, sign, or
    what a plugin adds."""
    batch: int | None = None
    """Rows a minibatch."""
    weight_decay: float = 0.0
    """Decoupled: θ ← θ − α (u + weight_decay · θ)."""
    label_smoothing: float = 0.0
    """Share of a label's weight that is spread over all classes."""
    network: str | None = None
    """linear, mlp, residual, cnn, gru or transformer."""
    width: int | None = None
    """Units a hidden layer, channels of a CNN, or size of an embedding."""
    depth: int | None = None
    """Hidden layers or blocks."""
    activation: str = "relu"
    """relu, tanh or gelu."""
    init_scale: float = 1.0
    """Times the initial weights."""
    normalised: bool = False
    """Layer normalisation before activations."""
    precision: str = "float32"
    """float32, or bfloat16 for the network forward and backward; weights and losses stay float32.
    It is quick only where the device has it."""
    initialisation: str = ""
    """Initial weights of dense layers: he, or what pytorch, keras or flax draws by default. Empty
    is he."""

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs, the length of a trajectory, must be >= 1, got {self.epochs}")
        OPTIMIZERS[self.optimizer]
        _one_of("activation", self.activation, ACTIVATION_NAMES)
        _one_of("precision", self.precision, PRECISION_NAMES)
        _one_of("initialisation", self.initialisation, ("", *INITIALISATION_NAMES))
        if self.network is not None:
            _one_of("network", self.network, NETWORK_NAMES)
        sizes = [name for name in ("batch", "width", "depth") if getattr(self, name) is not None]
        at_least(self, **dict.fromkeys(sizes, 1))
        for name, high in (("weight_decay", math.inf), ("label_smoothing", 1.0)):
            if not 0 <= getattr(self, name) < high:
                raise ValueError(f"{name} must be in [0, {high:g}), got {getattr(self, name)}")
        check_positive("init_scale", self.init_scale)


def _one_of(what: str, name: str, allowed: tuple[str, ...]) -> None:
    if name not in allowed:
        raise ValueError(unknown(what, name, allowed))
