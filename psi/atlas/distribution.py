"""The distribution of the atlas's tasks: as wide as small practice, all from the `train` suite.

A task is drawn for one of the padded shapes (psi.atlas.padding), its sizes within it. Most
tables are real ones, subsampled in rows and columns; the others are generators
(psi.atlas.generators) and texts. Ranges are log-uniform. A draw whose training would take too
long, or whose numbers do not fit together, is drawn again.
"""

from functools import cache
from typing import Any

import numpy as np

from psi.atlas.description import COLUMNS, OF_TOKENS, Description
from psi.atlas.padding import REACHES, VISITS, WIDE, Reach, Shape, shape_of
from psi.atlas.randomness import generator
from psi.atlas.real import Size, sizes
from psi.lab.tasks.carried import CARRIED
from psi.lab.tasks.text import VOCABULARY

SEED = 20261126
STEPS, ROWS = (3, 400), (60, 20_000)
BATCHES = (8, 16, 32, 48, 64, 96, 128, 192, 256)
"""Whole blocks of rows but for the first; powers of two, as most people take, and between them."""
TRIES = 20  # lengths that are tried with a network and data
STREAM = 0  # rows of a stream
WINDOWS = 4096  # of a text that is fixed, at most
MANY = 40  # minibatches of a training, at least
CLASSES = 100
SIDES = (8, 16, 28)  # of images
LONGER = ((50, 8), (10, 3))
"""(k, times the operations of others that every k-th task may take): else the large would be short,
and what is due to size not be told from what is due to steps."""

Numbers = dict[str, Any]
"""Fields of a description."""


def describe(number: int, seed: int = SEED, reach: str = "near") -> Description:
    """Task `number` of the distribution, whatever others are drawn; `reach` is a name of REACHES.

    >>> describe(3) == describe(3)
    True
    """
    rng, within = generator(seed, number), REACHES[reach]
    shapes = within.shapes
    shares = np.array([shape.share for shape in shapes])
    shape = shapes[int(rng.choice(len(shapes), p=shares / shares.sum()))]
    while True:
        drawn = {"number": number} | _network(shape, rng) | _data(shape, rng)
        for _ in range(TRIES):
            found = _described(drawn | _length(drawn, within, rng))
            if found is None or not fits(found, shape, within):
                continue
            if fits(found, shape_of(found, shapes), within):
                return found


def fits(task: Description, shape: Shape, within: Reach) -> bool:
    """Whether a draw is within the ranges."""
    rows = task.rows or task.steps * task.batch * task.epochs
    held = 0 if task.network in OF_TOKENS else rows
    return (
        shape.holds(task)
        and task.parameters >= within.parameters
        and STEPS[0] <= task.steps <= STEPS[1]
        and MANY <= task.steps * task.epochs <= within.steps
        and shape.operations(task) <= longest(shape, task.number)
        and shape.operations(task) <= shape.waste * task.operations
        and held <= shape.rows
        and task.rows * task.epochs <= VISITS
    )


def longest(shape: Shape, number: int) -> float:
    """The most operations of a training: of some tasks, more."""
    return shape.most * next((times for every, times in LONGER if number % every == 0), 1)


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Log-uniform in [low, high]."""
    return float(low * (high / low) ** rng.random())


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """Log-uniform whole number from low to high, both included."""
    return min(int(between(rng, low, high + 1)), high)


def _described(drawn: Numbers) -> Description | None:
    """The description; None where its numbers do not fit together."""
    try:
        return Description(**drawn)
    except ValueError:
        return None


def _network(shape: Shape, rng: np.random.Generator) -> Numbers:
    large = shape.width >= WIDE
    narrowest = shape.width / 1.1 if large else max(2, shape.width / 4)
    two = 2 if shape.network == "transformer" else 1  # heads share the width
    least = 1 if shape.network == "residual" else max(1, shape.depth - 1)
    shallow = shape.depth if large else least
    drawn = {
        "network": shape.network,
        "width": two * whole(rng, int(min(narrowest, shape.width) / two), shape.width // two),
        "depth": int(rng.integers(shallow, shape.depth + 1)),
        "activation": str(rng.choice(("relu", "relu", "tanh", "gelu"))),
        "normalised": shape.normalised and bool(rng.random() < 0.5),
        "initialisation": str(rng.choice(("he", "pytorch", "pytorch", "keras", "flax", "mup"))),
        "batch": minibatch(rng),
    }
    return drawn | {"depth": 1} if shape.network == "cnn" else drawn


def _length(drawn: Numbers, within: Reach, rng: np.random.Generator) -> Numbers:
    """Budget, and rows or a stream's steps; `drawn` has the rows that there are, or 0."""
    epochs = whole(rng, *within.epochs)
    if drawn["rows"] == STREAM:
        return {"epochs": epochs, "steps_per_epoch": whole(rng, *STEPS), "rows": STREAM}
    rows, least = drawn["rows"], max(ROWS[0], STEPS[0] * drawn["batch"])
    if drawn["source"] not in CARRIED or rng.random() < 0.5:
        rows = whole(rng, min(least, rows), rows)
    return {"epochs": epochs, "rows": rows}


def minibatch(rng: np.random.Generator) -> int:
    """One of BATCHES, about log-uniform."""
    drawn = between(rng, BATCHES[0], BATCHES[-1])
    return min(BATCHES, key=lambda size: abs(np.log(size / drawn)))


def _data(shape: Shape, rng: np.random.Generator) -> Numbers:
    if shape.network in OF_TOKENS:
        return _tokens(shape, rng)
    if shape.network == "cnn" or (shape.inputs >= SIDES[0] ** 2 and rng.random() < 0.2):
        return _images(shape, rng)
    return _table(rng) if rng.random() < 0.6 else _generated(shape, rng)


@cache
def _domains() -> tuple[tuple[Size, ...], ...]:
    """The tables of each domain of `train`."""
    found: dict[str, list[Size]] = {}
    for size in sizes():
        found.setdefault(CARRIED[size.name].domain, []).append(size)
    return tuple(tuple(own) for _, own in sorted(found.items()))


def _table(rng: np.random.Generator) -> Numbers:
    domain = _domains()[rng.integers(len(_domains()))]
    name, rows, inputs = domain[rng.integers(len(domain))]
    row = CARRIED[name]
    noisy = row.classes and rng.random() < 0.2
    return {
        "source": name,
        "rows": rows,
        "inputs": inputs if rng.random() < 0.5 else whole(rng, min(2, inputs), inputs),
        "classes": row.classes,
        "noise": round(between(rng, 0.02, 0.4), 3) if noisy else 0.0,
    }


def _generated(shape: Shape, rng: np.random.Generator) -> Numbers:
    source = str(rng.choice(("mixture", "mixture", "teacher", "teacher", "ill_conditioned")))
    most = max(2, min(shape.outputs, CLASSES))
    several = whole(rng, max(2, most // 8), most)
    classes = 0 if source == "ill_conditioned" or rng.random() < 0.1 else several
    noise = 0.0 if rng.random() < 0.4 else round(between(rng, 0.01, 0.5), 3)
    return {
        "source": source,
        "rows": STREAM if rng.random() < 0.4 else ROWS[1],
        "inputs": whole(rng, max(2, shape.inputs // 8), shape.inputs),
        "classes": classes if source != "mixture" else max(classes, 2),
        "noise": noise,
        "imbalance": round(between(rng, 0.1, 1.0), 2) if classes and rng.random() < 0.2 else 0.0,
        "columns": str(rng.choice(COLUMNS, p=(0.7, 0.15, 0.15))),
    }


def _images(shape: Shape, rng: np.random.Generator) -> Numbers:
    sides = [side for side in SIDES if side**2 <= shape.inputs]
    side = max(sides) if shape.network == "cnn" else int(rng.choice(sides))
    return {
        "source": "images",
        "rows": STREAM if rng.random() < 0.3 else ROWS[1],
        "inputs": side**2,
        "classes": whole(rng, 2, shape.outputs),
        "noise": 0.0 if rng.random() < 0.4 else round(between(rng, 0.01, 0.5), 3),
    }


def _tokens(shape: Shape, rng: np.random.Generator) -> Numbers:
    markov = rng.random() < 0.5
    return {
        "source": "markov" if markov else "licences",
        "rows": STREAM if rng.random() < 0.5 else WINDOWS,
        "inputs": whole(rng, shape.inputs // 2, shape.inputs),
        "classes": whole(rng, 4, VOCABULARY) if markov else VOCABULARY,
    }
