"""A task of the atlas, described: all that it takes to make it again, bit by bit, in under 1 kB."""

import json
import math
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any

from psi.law.checks import at_least, unknown

NETWORKS = ("linear", "mlp", "residual", "cnn", "embedding", "gru", "lstm", "transformer")
OF_TOKENS = NETWORKS[4:]
EMBEDDED = 16  # size of the embedding before a perceptron
STAGES = 2  # of a CNN
ACTIVATIONS = ("relu", "tanh", "gelu")
INITIALISATIONS = ("he", "pytorch", "keras", "flax", "mup")
COLUMNS = ("normal", "heavy", "binary")


@dataclass(frozen=True)
class Description:
    """A task: its data, its network, and every hyperparameter but the learning rate.

    Raises:
        ValueError: a name is unknown or a number makes no sense.

    >>> task = Description("teacher", 7, rows=600, inputs=8, classes=3)
    >>> task.steps, task.parameters
    (18, 371)
    >>> Description.from_json(task.to_json()) == task
    True
    """

    source: str
    """A data set that the lab carries, or a generator."""
    number: int
    """What the rows, columns and noise are drawn from."""
    rows: int = 0
    """Training rows; 0 of a stream."""
    inputs: int = 8
    """Numbers in a row, or tokens in a window."""
    classes: int = 0
    """0: a regression. Of tokens, the vocabulary."""
    noise: float = 0.0
    """Share of labels drawn at random; of a regression the noise's deviation, beside a target's
    of about 1."""
    imbalance: float = 0.0
    """A class is exp(−imbalance) times as frequent as the one before, of up to eight."""
    columns: str = "normal"
    """Of mixtures and teachers. heavy: columns with heavy tails; binary: columns of two values."""
    network: str = "mlp"
    width: int = 16
    """Units a hidden layer, channels of a CNN's first stage, or size of an embedding."""
    depth: int = 1
    """Hidden layers, levels or blocks (of a residual network, two layers each); a CNN has two
    stages."""
    activation: str = "relu"
    normalised: bool = False
    """Layer normalisation before activations."""
    initialisation: str = "pytorch"
    batch: int = 32
    steps_per_epoch: int = 0
    """Of a stream; of fixed rows it is one pass."""
    epochs: int = 20
    """T"""

    def __post_init__(self) -> None:
        for name, allowed in (
            ("network", NETWORKS), ("activation", ACTIVATIONS), ("columns", COLUMNS),
            ("initialisation", INITIALISATIONS),
        ):  # fmt: skip
            if (got := getattr(self, name)) not in allowed:
                raise ValueError(unknown(name, got, allowed))
        at_least(self, inputs=1, width=1, depth=1, batch=1, epochs=1)
        at_least(self, number=0, rows=0, classes=0, steps_per_epoch=0)
        if self.classes == 1:
            raise ValueError("classes must be 0, for a regression, or >= 2, got 1")
        if (self.rows > 0) == (self.steps_per_epoch > 0):
            raise ValueError(
                "a task has rows, or steps_per_epoch if it is a stream; got "
                f"{self.rows} and {self.steps_per_epoch}"
            )
        if self.rows and self.rows < self.batch:
            raise ValueError(f"batch must be <= the {self.rows} rows, got {self.batch}")
        for name, most in (("noise", 1.0 if self.classes else math.inf), ("imbalance", math.inf)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be in [0, {most:g}], got {getattr(self, name)}")
        if self.network == "transformer" and self.width % 2:
            raise ValueError(f"two heads share a transformer's width, got {self.width}")
        side = math.isqrt(self.inputs)
        if self.network == "cnn" and (side % 2**STAGES or side**2 != self.inputs):
            raise ValueError(
                f"a CNN needs square images whose side {2**STAGES} divides, got {self.inputs}"
            )

    @property
    def stream(self) -> bool:
        """Whether no row is seen twice."""
        return not self.rows

    @property
    def steps(self) -> int:
        """Minibatches an epoch."""
        return self.steps_per_epoch or self.rows // self.batch

    @property
    def outputs(self) -> int:
        """Numbers that the network puts out."""
        return max(self.classes, 1)

    @property
    def parameters(self) -> int:
        """P, all weights and biases."""
        return sum(_layers(self))

    @property
    def operations(self) -> float:
        """Multiplications and additions of a training, about: 6 · uses of weights a row."""
        return 6.0 * _uses(self) * self.batch * self.steps * self.epochs

    def to_json(self) -> str:
        """One line of JSON, without what is usual."""
        usual = {f.name: f.default for f in fields(self)}
        shown = {k: v for k, v in asdict(self).items() if v != usual[k]}
        return json.dumps(shown, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Description":
        """The description that `to_json` wrote. Raises ValueError for anything else."""
        try:
            found: Any = json.loads(text)
            return cls(**found)
        except TypeError as error:
            raise ValueError(f"not the description of a task: {error}") from None


def _layers(task: Description) -> list[int]:
    """Numbers in each layer."""
    w, out, depth = task.width, task.outputs, task.depth

    def dense(outputs: int, inputs: int) -> int:
        return outputs * (inputs + 1)

    if task.network == "cnn":
        channels = [1, *(w * 2**k for k in range(STAGES))]
        stages = [dense(channels[k + 1], 9 * channels[k]) for k in range(STAGES)]
        return [*stages, dense(out, task.inputs // 4**STAGES * channels[-1])]
    if task.network in ("gru", "lstm"):
        gates = 3 if task.network == "gru" else 4
        return [w * out, *[2 * dense(gates * w, w)] * depth, dense(out, w)]
    if task.network == "transformer":
        block = dense(3 * w, w) + dense(w, w) + dense(4 * w, w) + dense(w, 4 * w)
        return [w * out, w * task.inputs, *[block] * depth, dense(out, w)]
    if task.network == "linear":
        return [dense(out, task.inputs)]
    if task.network == "residual":
        return [dense(w, task.inputs), *[dense(w, w)] * (2 * depth), dense(out, w)]
    inputs, table = task.inputs, []
    if task.network == "embedding":
        table, inputs = [EMBEDDED * out], EMBEDDED * task.inputs
    widths = [inputs, *[w] * depth, out]
    return [*table, *(dense(m, n) for n, m in pairwise(widths))]


def _uses(task: Description) -> float:
    """How many multiplications a row takes: weights by the places that each is used at."""
    layers = _layers(task)
    if task.network == "cnn":
        pixels = [task.inputs / 4**k for k in range(STAGES)]
        return sum(n * p for n, p in zip(layers, [*pixels, 1], strict=True))
    if task.network in ("gru", "lstm", "transformer"):
        return float(sum(layers) * task.inputs)
    return float(sum(layers[1:] if task.network == "embedding" else layers))
