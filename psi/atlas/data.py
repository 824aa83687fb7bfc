"""The arrays of a described task, made again bit by bit, padded as its program wants them."""

import hashlib
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from psi.atlas.description import (
    ACTIVATIONS,
    INITIALISATIONS,
    OF_TOKENS,
    Description,
)
from psi.atlas.generators import SAMPLERS, VALIDATION, noisy, sampler
from psi.atlas.layers import Sizes
from psi.atlas.padding import TOGETHER, VISITS, Shape
from psi.atlas.randomness import generator
from psi.atlas.real import table
from psi.lab.tasks.build import chance_loss
from psi.lab.tasks.text import encode, text_of
from psi.law.checks import unknown
from psi.law.facts import Facts

TOKENS = 1 << 18  # of a text, to train on
EVALUATED = 1024  # validation rows
DRAW, VALID, ORDER = 1, 2, 3  # what random numbers are for


class Chances(NamedTuple):
    """L_chance: what the best constant prediction of the training rows loses."""

    train_loss: float
    val_loss: float


class Rows(NamedTuple):
    """What a task is trained and evaluated on, without padding."""

    domain: str
    x: np.ndarray
    """Rows, or a text's tokens one after the other."""
    y: np.ndarray
    """Targets; each token's next."""
    val_x: np.ndarray
    """Rows, or windows."""
    val_y: np.ndarray
    chances: Chances
    floor: float
    """L*: 0 of fixed rows, of a stream the least loss possible; NaN where nobody knows."""


class Arrays(NamedTuple):
    """The same, padded, and all that a program is told of a task; numpy's arrays or JAX's."""

    x: Any
    y: Any
    val_x: Any
    val_y: Any
    sizes: Sizes
    rows: Any
    """Of a stream of text, its tokens."""
    val_rows: Any
    batch: Any
    steps: Any
    epochs: Any
    stream: Any
    regression: Any
    facts: dict[str, Any]
    """By the names of an observation."""


@lru_cache(TOGETHER)  # a task is trained under one optimizer after the other
def rows_of(task: Description) -> Rows:
    """The rows of a task. Raises ValueError where they lie in a package that is not installed."""
    if task.network in OF_TOKENS:
        return _tokens(task)
    found = _generated(task) if task.source in SAMPLERS else _real(task)
    found = found._replace(val_x=found.val_x[:EVALUATED], val_y=found.val_y[:EVALUATED])
    return found if task.classes else _standardised(found)


def _real(task: Description) -> Rows:
    whole, rng = table(task.source), generator(DRAW, task.number)
    rows = rng.permutation(len(whole.y))[: task.rows]
    columns = np.sort(rng.permutation(whole.x.shape[1])[: task.inputs])
    y, val_y = whole.y[rows], whole.val_y
    if task.classes and task.noise:
        y, val_y = (noisy(task, part, rng) for part in (y, val_y))
    x, val_x = whole.x[rows][:, columns], whole.val_x[:, columns]
    chances = _chances(y, val_y[:EVALUATED], task.classes)
    return Rows(whole.domain, x, y, val_x, val_y, chances, 0.0)


def _generated(task: Description) -> Rows:
    draw = sampler(task, generator(DRAW, task.number))
    count = task.rows or task.steps * task.batch * task.epochs
    train = draw(count, generator(DRAW, task.number, 1))
    valid = draw(VALIDATION, generator(VALID, task.number))
    chances = _chances(train.y, valid.y, task.classes)
    floor = valid.bayes if task.stream else 0.0
    return Rows(task.source, train.x, train.y, valid.x, valid.y, chances, floor)


def _standardised(rows: Rows) -> Rows:
    """With targets of a regression standardised by the training rows."""
    mean, deviation = rows.y.mean(), rows.y.std() or 1.0
    y, val_y = (rows.y - mean) / deviation, (rows.val_y - mean) / deviation
    chances, floor = _chances(y, val_y, 0), rows.floor / deviation**2
    return rows._replace(y=y, val_y=val_y, chances=chances, floor=floor)


def _chances(y: np.ndarray, val_y: np.ndarray, classes: int) -> Chances:
    return Chances(chance_loss(y, y, classes), chance_loss(y, val_y, classes))


def _tokens(task: Description) -> Rows:
    """A text as one row of tokens, and windows of another part; ValueError for what is no text.

    Of fixed rows the text is a piece of it, as long as these, its windows, are side by side.
    """
    rng = generator(VALID, task.number)
    if task.source == "markov":
        draw = sampler(task, generator(DRAW, task.number))
        train, other = draw(TOKENS, generator(DRAW, task.number, 1)).x, draw(TOKENS // 8, rng)
        tokens, least = other.x, np.asarray(other.each)
    elif task.source == "licences":
        train, tokens = licences()
        least = np.full(len(tokens), np.nan)
    else:
        raise ValueError(unknown("source of tokens", task.source, ("markov", "licences")))
    if task.rows:
        length = task.rows * task.inputs + 1
        first = generator(DRAW, task.number, 2).integers(len(train) - length + 1)
        train = train[first : first + length]
    starts = rng.integers(len(tokens) - task.inputs, size=VALIDATION)
    spans = tokens[starts[:, None] + np.arange(task.inputs + 1)]
    # The least loss of the very tokens that are predicted: on 512 of them it is easily 0.04 nats
    # off that of the whole text.
    val_y, floors = spans[:, 1:], least[starts[:, None] + np.arange(task.inputs)]
    seen = train
    if task.network == "embedding":
        val_y, floors = val_y[:, -1], floors[:, -1]
        seen = train[1:][task.inputs - 1 :: task.inputs] if task.rows else train
    floor = 0.0 if task.rows and task.source == "markov" else float(floors.mean())
    chances = _chances(seen, val_y, task.classes)
    return Rows(task.source, train[:-1], train[1:], spans[:, :-1], val_y, chances, floor)


@cache
def licences() -> tuple[Int[np.ndarray, " token"], Int[np.ndarray, " token"]]:
    """The tokens of the text: those to train on, and those to evaluate on."""
    tokens = encode(text_of("licences"))
    return tokens[: -len(tokens) // 8], tokens[-len(tokens) // 8 :]


def arrays_of(task: Description, rows: Rows, shape: Shape) -> Arrays:
    """The rows, padded, and the task's numbers."""
    text = task.network in OF_TOKENS
    kind, count = (np.int32, TOKENS) if text else (np.float32, shape.rows)
    inputs = shape.inputs
    if text:
        x, y = _padded(rows.x[:TOKENS], (count,)), _padded(rows.y[:TOKENS], (count,))
        widths = (VALIDATION,) if task.network == "embedding" else (VALIDATION, inputs)
    else:
        x, y = _padded(rows.x, (count, inputs)), _padded(rows.y, (count,))
        widths = (EVALUATED,)
    return Arrays(
        x=x.astype(kind),
        y=y.astype(kind),
        val_x=_padded(rows.val_x, (widths[0], inputs)).astype(kind),
        val_y=_padded(rows.val_y, widths).astype(kind),
        sizes=_sizes(task),
        # Of a longer text its beginning: a window from beyond would be one token, again and again.
        rows=np.int32(task.rows if text and task.rows else min(len(rows.x), count)),
        val_rows=np.int32(len(rows.val_x)),
        batch=np.int32(task.batch),
        steps=np.int32(task.steps),
        epochs=np.int32(task.epochs),
        stream=np.bool_(task.stream),
        regression=np.bool_(not task.classes),
        facts={name: np.float32(value) for name, value in facts_of(task, rows).values().items()},
    )


def facts_of(task: Description, rows: Rows) -> Facts:
    """What a law may see of a task before its initial weights are drawn."""
    return Facts(
        rows=task.rows or None,
        batch=task.batch,
        steps_per_epoch=task.steps,
        classes=task.classes,
        chance_loss=rows.chances.train_loss,
        stream=task.stream,
        parameters=task.parameters,
    )


def _padded(a: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The array in the first corner of a larger one of zeros."""
    found = np.zeros(shape, a.dtype)
    found[tuple(slice(n) for n in a.shape)] = a
    return found


def _sizes(task: Description) -> Sizes:
    return Sizes(
        inputs=np.int32(task.inputs),
        outputs=np.int32(task.outputs),
        width=np.int32(task.width),
        depth=np.int32(task.depth),
        activation=np.int32(ACTIVATIONS.index(task.activation)),
        initialisation=np.int32(INITIALISATIONS.index(task.initialisation)),
        normalised=np.bool_(task.normalised),
    )


def order_of(task: Description, seed: int) -> Int[np.ndarray, " visits"]:
    """Which row each place of each epoch holds, epoch after epoch; of a stream of text nothing.

    A stream's rows come once each, in an order of the seed's own.
    """
    found = np.zeros(VISITS, np.uint16)
    if task.network in OF_TOKENS and task.stream:
        return found
    rng = generator(ORDER, task.number, seed)
    times = 1 if task.stream else task.epochs
    rows = task.rows or task.steps * task.batch * task.epochs
    orders = [rng.permutation(rows).astype(np.uint16) for _ in range(times)]
    found[: rows * times] = np.concatenate(orders)
    return found


def digest(task: Description) -> str:
    """SHA-256 of a task's rows, which tells whether they were made again."""
    rows = rows_of(task)
    found = hashlib.sha256(task.to_json().encode())
    for part in (rows.x, rows.y, rows.val_x, rows.val_y):
        found.update(np.ascontiguousarray(part).tobytes())
    return found.hexdigest()
