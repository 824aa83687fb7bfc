"""Two synthetic families, as streams: every minibatch is fresh, so nothing can be memorised.

Each draw of a family is a seeded generator with a known posterior p(y | x), so that its Bayes
loss E[−log p(y | x)] is known too. All draws of a family share shapes, hence one program.

* `gaussian_mixture`: x | class ~ N(m_class, I), a share of the labels redrawn at random.
* `teacher`: x ~ N(0, I), y ~ softmax(β · teacher(x)) with a random ReLU network as teacher.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.lab.networks import accuracy, cross_entropy, mlp_init, mlp_logits
from psi.lab.task import Batch, Facts, Functions, Params, Splits, Task

INPUTS, CLASSES, HIDDEN = 16, 4, 32
BATCH, STEPS = 32, 16
SPLIT_ROWS = (256, 512, 256)  # train, validation, test: only ever evaluated on


class Mixture(NamedTuple):
    """A Gaussian mixture with label noise."""

    means: Float[Array, "classes inputs"]
    noise: Float[Array, ""]
    """Share of labels redrawn uniformly."""


class Teacher(NamedTuple):
    """A random network whose softmax draws the labels."""

    params: Params
    sharpness: Float[Array, ""]
    """β: 0 makes labels pure noise, ∞ makes them certain."""


class Family(NamedTuple):
    """A distribution over generators, and how to draw from one of them."""

    draw: Callable[[Key[Array, ""]], Any]
    """key → generator"""
    inputs: Callable[[Any, Key[Array, ""], int], Float[Array, "rows inputs"]]
    """(generator, key, rows) → x, drawn from its marginal"""
    posterior: Callable[[Any, Float[Array, "rows inputs"]], Float[Array, "rows classes"]]
    """(generator, x) → log p(y | x)"""


def _draw_mixture(key: Key[Array, ""]) -> Mixture:
    means, spread, noise = jax.random.split(key, 3)
    scale = jnp.exp(jax.random.uniform(spread, minval=jnp.log(0.4), maxval=jnp.log(1.2)))
    return Mixture(
        scale * jax.random.normal(means, (CLASSES, INPUTS)),
        jax.random.uniform(noise, maxval=0.3),
    )


def _mixture_inputs(source: Mixture, key: Key[Array, ""], rows: int) -> Float[Array, "rows inputs"]:
    which, where = jax.random.split(key)
    component = jax.random.randint(which, (rows,), 0, CLASSES)
    return source.means[component] + jax.random.normal(where, (rows, INPUTS))


def _mixture_posterior(
    source: Mixture, x: Float[Array, "rows inputs"]
) -> Float[Array, "rows classes"]:
    scores = x @ source.means.T - (source.means**2).sum(-1)[None] / 2
    clean = jax.nn.softmax(scores)
    return jnp.log((1 - source.noise) * clean + source.noise / CLASSES)


def _draw_teacher(key: Key[Array, ""]) -> Teacher:
    weights, sharpness = jax.random.split(key)
    return Teacher(
        mlp_init((INPUTS, HIDDEN, CLASSES), weights),
        jnp.exp(jax.random.uniform(sharpness, minval=jnp.log(1.0), maxval=jnp.log(6.0))),
    )


def _teacher_inputs(source: Teacher, key: Key[Array, ""], rows: int) -> Float[Array, "rows inputs"]:
    del source
    return jax.random.normal(key, (rows, INPUTS))


def _teacher_posterior(
    source: Teacher, x: Float[Array, "rows inputs"]
) -> Float[Array, "rows classes"]:
    return jax.nn.log_softmax(source.sharpness * mlp_logits(source.params, x))


FAMILIES: tuple[tuple[str, Family], ...] = (
    ("gaussian_mixture", Family(_draw_mixture, _mixture_inputs, _mixture_posterior)),
    ("teacher", Family(_draw_teacher, _teacher_inputs, _teacher_posterior)),
)


def sample(family: Family, rows: int, source: Any, key: Key[Array, ""]) -> Batch:
    """Fresh rows of a generator."""
    where, label = jax.random.split(key)
    x = family.inputs(source, where, rows)
    y = jax.random.categorical(label, family.posterior(source, x))
    return Batch(x, y)


def bayes_loss(family: Family, source: Any, batch: Batch) -> Float[Array, ""]:
    """Mean of −log p(y | x) over a batch: what the best possible predictor loses there."""
    log_p = family.posterior(source, batch.x)
    return -jnp.take_along_axis(log_p, batch.y[:, None], axis=1).mean()


@cache
def _functions(family: Family) -> Functions:
    def epoch(source: Any, key: Key[Array, ""]) -> Batch:
        rows = sample(family, STEPS * BATCH, source, key)
        return Batch(rows.x.reshape(STEPS, BATCH, -1), rows.y.reshape(STEPS, BATCH))

    init = partial(mlp_init, (INPUTS, HIDDEN, CLASSES))
    return Functions(init, cross_entropy, accuracy, epoch)


def stream_task(name: str, number: int, epochs: int, optimizer: str) -> Task:
    """Draw `number` of the family `name`. The same number gives the same task, for ever."""
    family = dict(FAMILIES)[name]
    key = jax.random.fold_in(jax.random.key(20261122), number)
    source = family.draw(key)
    train, validation, test = (
        sample(family, rows, source, jax.random.fold_in(key, part + 1))
        for part, rows in enumerate(SPLIT_ROWS)
    )
    facts = Facts(
        domain=name,
        rows=STEPS * BATCH * epochs,
        inputs=INPUTS,
        classes=CLASSES,
        parameters=INPUTS * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES,
        batch=BATCH,
        steps=STEPS,
        epochs=epochs,
        optimizer=optimizer,
        chance_loss=chance_loss(np.asarray(train.y), np.asarray(validation.y)),
        floor=float(bayes_loss(family, source, validation)),
        stream=True,
    )
    splits = Splits(train, validation, test)
    return Task(f"{name}-{number}", _functions(family), source, splits, facts)


def chance_loss(train: Int[np.ndarray, " rows"], other: Int[np.ndarray, " others"]) -> float:
    """Loss on `other` of the class frequencies of `train`, each class counted once more."""
    counts = np.bincount(train, minlength=max(train.max(), other.max()) + 1) + 1
    return float(-np.log(counts / counts.sum())[other].mean())
