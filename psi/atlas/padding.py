"""The padded shapes that tasks of the atlas are trained in: sixteen, others on accelerators.

Sizes, activation, initialisation, minibatch, steps and budget are numbers that a program is given;
what it is compiled for is the kind of network and the most of each size. A padding unit has weights
of 0 and activation 0, so that no gradient reaches it. Rows are taken in blocks, as many as the
minibatch needs.
"""

import math
from dataclasses import replace
from typing import NamedTuple

from psi.atlas.config import LANES, SEEDS
from psi.atlas.description import Description

POOL = 32_768
"""Rows that a task may have, or a stream take in all."""
CELLS = 1 << 22
"""Numbers that its rows may hold."""
VISITS = 1 << 20
"""Rows × epochs of a task on fixed rows."""
LARGEST = 256  # rows of a minibatch
WIDE = 448
"""The width from which on a shape is of large networks, which are about as wide."""


class Shape(NamedTuple):
    """What a program is compiled for: a kind of network, and the most of each size."""

    network: str
    inputs: int
    outputs: int
    width: int
    depth: int
    share: float
    """Of the tasks, beside the others' shares."""
    most: float
    """Operations of a training, those of the padding included."""
    normalised: bool = False
    """Whether its networks may have layer normalisation."""
    waste: float = 2.5
    """Times a task's own operations that those with padding may be: what is padded is paid for."""
    lanes: int = 51
    """Trained at once: as many as a core's cache, or an accelerator's memory, holds."""
    block: int = 16
    """Rows that a gradient is taken of at once."""
    group: int = 8
    """Tasks of a part; on an accelerator they are trained together."""

    def holds(self, task: Description) -> bool:
        """Whether the program can train a task."""
        exact = self.network != "cnn" or task.inputs == self.inputs
        return (
            exact
            and self.network == task.network
            and task.inputs <= self.inputs
            and task.outputs <= self.outputs
            and task.width <= self.width
            and task.depth <= self.depth
            and task.normalised <= self.normalised
        )

    @property
    def rows(self) -> int:
        """Rows that its arrays hold."""
        return min(POOL, CELLS // self.inputs)

    @property
    def parameters(self) -> int:
        """Weights of a network as large as the shape."""
        return self.padded(Description("images", 0, batch=1, rows=1)).parameters

    def padded(self, task: Description) -> Description:
        """A task as large as the shape."""
        return replace(
            task, inputs=self.inputs, classes=max(self.outputs, 2), width=self.width,
            depth=self.depth, network=self.network,
        )  # fmt: skip

    def operations(self, task: Description) -> float:
        """Of training a task in this shape, those of the padding included."""
        blocks = -(-task.batch // self.block)
        return self.padded(task).operations * blocks * self.block / task.batch


SHAPES: tuple[Shape, ...] = (
    Shape("linear", 64, 32, 1, 1, 0.06, 1.2e8, waste=8),
    Shape("mlp", 16, 8, 16, 2, 0.22, 1.5e8, waste=8),
    Shape("mlp", 16, 8, 64, 1, 0.17, 1.5e8, waste=4),
    Shape("mlp", 64, 8, 32, 4, 0.1, 1.5e8, True),
    Shape("mlp", 16, 32, 64, 2, 0.06, 1.5e8),
    Shape("mlp", 128, 104, 32, 1, 0.05, 1.5e8),
    Shape("mlp", 64, 8, 192, 2, 0.05, 2.5e8, True, lanes=7),
    Shape("mlp", 784, 40, 64, 1, 0.03, 3e8, lanes=17),
    Shape("mlp", 64, 40, 448, 2, 0.025, 1.25e9, lanes=3),
    Shape("cnn", 64, 16, 8, 2, 0.05, 1.5e8, True, lanes=17),
    Shape("cnn", 784, 16, 4, 2, 0.02, 4e8, lanes=17),
    Shape("embedding", 4, 64, 64, 1, 0.04, 2e8),
    Shape("embedding", 8, 64, 448, 2, 0.018, 1.35e9, lanes=3),
    Shape("gru", 12, 64, 24, 1, 0.04, 3.8e8, lanes=17),
    Shape("lstm", 12, 64, 24, 2, 0.022, 7.5e8, lanes=17),
    Shape("transformer", 12, 64, 24, 2, 0.022, 9e8, lanes=17),
)
"""Networks of 50 to 300,000 weights, most of them small as most tables are."""

TIMES = 60
"""How many operations a training may take on an accelerator, times those of a laptop's."""
TOGETHER, HELD = 32, 5e8
"""Tasks that an accelerator trains together, at most, and numbers that they hold of one kind."""


def grouped(shape: Shape) -> Shape:
    """With as many tasks of a part as an accelerator holds: their weights, and a layer of each."""
    values = shape.inputs if shape.network not in ("linear", "mlp", "embedding") else 1
    gates = 4 if values > 1 else 1
    held = max(LARGEST * values * (gates * shape.width + shape.outputs), shape.parameters)
    count = max(1.0, HELD / (held * LANES * SEEDS * min(1, shape.lanes / LANES)))
    return shape._replace(group=min(TOGETHER, 1 << int(math.log2(count))))


FAR: tuple[Shape, ...] = tuple(
    grouped(shape)
    for shape in (
        *(shape._replace(most=TIMES * shape.most, lanes=51) for shape in SHAPES),
        Shape("mlp", 128, 104, 1024, 3, 0.015, 3e11, True, lanes=51),
        Shape("mlp", 784, 104, 2048, 2, 0.01, 6e11, lanes=17),
        Shape("cnn", 784, 16, 32, 2, 0.01, 3e11, True, lanes=17),
        Shape("embedding", 8, 64, 2048, 2, 0.01, 6e11, lanes=17),
        Shape("lstm", 32, 64, 128, 2, 0.01, 3e11, lanes=17),
        Shape("transformer", 32, 64, 128, 4, 0.01, 6e11, lanes=17),
    )
)
"""The same for an accelerator: trainings on fixed rows are as long as in practice, of up to VISITS
rows × epochs, and networks have up to 6,000,000 weights. Streams have no more rows than POOL and
CELLS let them."""
PRACTICE: tuple[Shape, ...] = (
    Shape("linear", 16, 8, 1, 1, 0.1, 1e10, waste=32, group=32),
    Shape("linear", 64, 32, 1, 1, 0.08, 2e10, waste=8, group=16),
    Shape("mlp", 16, 8, 16, 2, 0.12, 2e10, waste=8, group=32),
    Shape("mlp", 16, 8, 64, 1, 0.1, 2e10, waste=4, group=32),
    Shape("mlp", 64, 8, 32, 4, 0.1, 2e10, True, group=16),
    Shape("mlp", 128, 104, 128, 2, 0.06, 2e10, True, waste=4, group=8),
    Shape("residual", 16, 8, 32, 3, 0.13, 2e10, True, waste=8, group=16),
    Shape("residual", 64, 32, 64, 3, 0.13, 2e10, True, waste=4, group=8),
    Shape("residual", 64, 8, 192, 2, 0.035, 4e10, True, waste=4, group=4),
    Shape("embedding", 4, 64, 64, 1, 0.04, 4e10, group=16),
    Shape("gru", 12, 64, 24, 1, 0.06, 4e10, group=4),
)
"""Small networks, residual ones among them, that are trained as long as in practice."""


class Reach(NamedTuple):
    """How far a distribution of tasks goes."""

    shapes: tuple[Shape, ...]
    epochs: tuple[int, int] = (5, 100)
    """The least and the most T."""
    parameters: int = 50
    """The fewest weights."""
    steps: float = math.inf
    """The most of a training."""
    together: bool = True
    """Whether tasks of a part take each step together, as on an accelerator."""


REACHES: dict[str, Reach] = {
    "near": Reach(SHAPES, together=False),
    "far": Reach(FAR),
    "practice": Reach(PRACTICE, epochs=(3, 100), parameters=5, steps=4000),
}


def shape_of(task: Description, shapes: tuple[Shape, ...] = SHAPES) -> Shape:
    """The shape that costs least. Raises ValueError for a task that none holds."""
    fitting = [shape for shape in shapes if shape.holds(task)]
    if not fitting:
        raise ValueError(f"no shape of the atlas holds {task.to_json()}")
    return min(fitting, key=lambda shape: shape.operations(task))
