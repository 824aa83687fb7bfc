"""The generators of the atlas: rows, images and tokens whose least possible loss is known.

* `mixture`: x | class ~ N(m_class, 1), the root mean square of ‖m‖ 0.5 to 3.
* `teacher`: the label is what a random perceptron says of x, or, of a regression, its output.
* `ill_conditioned`: x_k ~ N(0, λ_k), λ log-spaced over 1 to 4 decades, y = w · x + noise.
* `images`: one of a class's smooth random fields, shifted by up to two pixels, and white noise.
* `markov`: each token depends on the one before.

A share `noise` of the labels is drawn from all classes alike; without it a teacher's classes can be
told apart exactly. Of mixtures and teachers, columns may have heavy tails (x → sign(x) |x|^1.7) or
two values.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp, ndtr

from psi.atlas.description import Description

Random = np.random.Generator
RARE = 8  # classes after which a class is no rarer than the one before
HIDDEN = 16
SHIFT = 2  # pixels
VALIDATION = 512  # rows of which the least loss is known where it takes long


class Sample(NamedTuple):
    """Rows, their targets, and the least loss possible on them in nats, or ½ mean square."""

    x: np.ndarray
    y: np.ndarray
    bayes: float
    each: Float[np.ndarray, " row"] | None = None
    """Of tokens, the least loss on each."""


Sampler = Callable[[int, Random], Sample]
"""(rows, generator of random numbers) → a sample of the task's one distribution."""


def sampler(task: Description, rng: Random) -> Sampler:
    """The distribution of a task, its parameters drawn from `rng`."""
    return SAMPLERS[task.source](task, rng)


def columned(task: Description, x: Float[np.ndarray, "rows inputs"], at: Any) -> np.ndarray:
    """Standard normal columns with the task's kind of values; `at`: thresholds of binary ones."""
    if task.columns == "heavy":
        return np.sign(x) * np.abs(x) ** 1.7
    return np.where(x > at, 1.0, -1.0) if task.columns == "binary" else x


def noisy(task: Description, labels: Int[np.ndarray, " rows"], rng: Random) -> np.ndarray:
    """Labels, a share of them drawn anew from all classes alike."""
    other = rng.integers(task.outputs, size=len(labels))
    return np.where(rng.random(len(labels)) < task.noise, other, labels)


def least(task: Description, y: np.ndarray, posterior: np.ndarray) -> float:
    """The least loss on noisy labels, p(class | x) of the clean ones known."""
    p = (1 - task.noise) * posterior[np.arange(len(y)), y] + task.noise / task.outputs
    return float(-np.log(p).mean())


def _mixture(task: Description, rng: Random) -> Sampler:
    spread = math.exp(rng.uniform(math.log(0.5), math.log(3.0))) / math.sqrt(2 * task.inputs)
    means = spread * rng.standard_normal((task.classes, task.inputs)) * math.sqrt(2)
    at = rng.standard_normal(task.inputs) * 0.5
    prior = np.exp(-task.imbalance * np.minimum(np.arange(task.classes), RARE))
    prior /= prior.sum()

    def sample(rows: int, rng: Random) -> Sample:
        labels = rng.choice(task.classes, rows, p=prior)
        raw = means[labels] + rng.standard_normal((rows, task.inputs))
        x = columned(task, raw, at)
        if task.columns == "binary":
            up = np.clip(ndtr(means - at), 1e-12, 1 - 1e-12)
            likely = (x > 0) @ np.log(up).T + (x < 0) @ np.log1p(-up).T
        else:  # whether columns are stretched makes no difference to what is known of the class
            likely = raw @ means.T - np.square(means).sum(1) / 2
        logits = likely + np.log(prior)
        posterior = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
        y = noisy(task, labels, rng)
        return Sample(x, y, least(task, y, posterior))

    return sample


def _teacher(task: Description, rng: Random) -> Sampler:
    inward = rng.standard_normal((task.inputs, HIDDEN)) * math.sqrt(2 / task.inputs)
    outward = rng.standard_normal((HIDDEN, task.outputs)) * math.sqrt(2 / HIDDEN)
    at = rng.standard_normal(task.inputs) * 0.5
    # The rarer a class is to be, the further behind its output starts.
    behind = task.imbalance * np.minimum(np.arange(task.outputs), RARE)

    def sample(rows: int, rng: Random) -> Sample:
        x = columned(task, rng.standard_normal((rows, task.inputs)), at)
        out = np.maximum(x @ inward, 0) @ outward - behind
        if not task.classes:
            off = task.noise * rng.standard_normal(rows)
            return Sample(x, out[:, 0] + off, float(np.square(off).mean() / 2))
        labels = out.argmax(1)
        y = noisy(task, labels, rng)
        return Sample(x, y, least(task, y, np.eye(task.classes)[labels]))

    return sample


def _ill_conditioned(task: Description, rng: Random) -> Sampler:
    deviation = 10.0 ** (-rng.uniform(1, 4) / 2 * np.linspace(0, 1, task.inputs))
    # Every direction explains the same share of the target's variance, so that slow ones matter.
    weights = rng.standard_normal(task.inputs) / deviation / math.sqrt(task.inputs)

    def sample(rows: int, rng: Random) -> Sample:
        x = deviation * rng.standard_normal((rows, task.inputs))
        off = task.noise * rng.standard_normal(rows)
        return Sample(x, x @ weights + off, float(np.square(off).mean() / 2))

    return sample


def _images(task: Description, rng: Random) -> Sampler:
    side = math.isqrt(task.inputs)
    coarse = rng.standard_normal((task.classes, 4, 4))
    blur = np.maximum(0, 1 - np.abs(np.linspace(0, 3, side)[:, None] - np.arange(4)))
    fields = np.einsum("ia,cab,jb->cij", blur, coarse, blur)
    moves = [(i, j) for i in range(-SHIFT, SHIFT + 1) for j in range(-SHIFT, SHIFT + 1)]
    shifted = np.stack([np.roll(fields, move, (1, 2)) for move in moves], axis=1)
    means = shifted.reshape(-1, task.inputs)
    # So that noise hides more or less of a field, whatever the number of pixels.
    deviation = math.exp(rng.uniform(math.log(0.3), math.log(3.0))) * side / 8

    def sample(rows: int, rng: Random) -> Sample:
        labels = rng.integers(task.classes, size=rows)
        chosen = labels * len(moves) + rng.integers(len(moves), size=rows)
        x = means[chosen] + deviation * rng.standard_normal((rows, task.inputs))
        y, few = noisy(task, labels, rng), x[:VALIDATION]
        logits = (few @ means.T - np.square(means).sum(1) / 2) / deviation**2
        of_class: Any = logsumexp(logits.reshape(len(few), task.classes, -1), axis=2)
        posterior = np.exp(of_class - logsumexp(of_class, axis=1, keepdims=True))
        scale = math.hypot(deviation, float(fields.std()))
        return Sample(x / scale, y, least(task, y[:VALIDATION], posterior))

    return sample


def _markov(task: Description, rng: Random) -> Sampler:
    shape = math.exp(rng.uniform(math.log(0.05), math.log(1.0)))
    rows = rng.standard_gamma(shape, (task.classes, task.classes)) + 1e-12
    share = math.exp(rng.uniform(math.log(0.01), math.log(0.3)))
    chances = (1 - share) * rows / rows.sum(1, keepdims=True) + share / task.classes
    steps = np.cumsum(chances, axis=1)

    def sample(count: int, rng: Random) -> Sample:
        tokens, draws = np.empty(count + 1, np.int64), rng.random(count + 1)
        now = 0
        for k, draw in enumerate(draws):
            now = min(int(steps[now].searchsorted(draw)), task.classes - 1)
            tokens[k] = now
        each = -np.log(chances[tokens[:-1], tokens[1:]])
        return Sample(tokens[:-1], tokens[1:], float(each.mean()), each)

    return sample


SAMPLERS: dict[str, Callable[[Description, Random], Sampler]] = {
    "mixture": _mixture,
    "teacher": _teacher,
    "ill_conditioned": _ill_conditioned,
    "images": _images,
    "markov": _markov,
}
