"""Synthetic families of data: draw N of a family is a generator whose Bayes loss is known.

As a stream (`teacher-3`) every minibatch is a fresh sample, so that nothing can be memorised and
training loss is test loss; as fixed rows (`teacher-3-fixed`) the same generator is sampled once.
All draws of a family have the same shapes, and share one compiled program.

* `gaussian_mixture`: x | class ~ N(m_class, I), a share of the labels replaced at random.
* `ill_conditioned`: x_k ~ N(0, λ_k), λ log-spaced over 1 to 3 decades, y = w · x + noise.
* `moons`: two interleaved half circles in the plane, blurred, a share of the labels replaced.
* `teacher`: x ~ N(0, I), y ~ softmax(β · teacher(x)) with a random ReLU network as teacher.

Two families are for judging alone, in no preset and no distribution:

* `fourier`: x ~ N(0, I), y = f(x) + noise, f a smooth random function, a sum of waves.
* `spirals`: three arms that wind around each other, blurred, a share of the labels replaced. Each
  arm is a mixture of Gaussians along it, so that the posterior has a closed form.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from psi.lab.hyper import Hyper
from psi.lab.networks.mlp import mlp
from psi.lab.networks.network import Network, Params
from psi.lab.networks.table import network
from psi.lab.tasks import fourier
from psi.lab.tasks.build import facts_of, fixed_task, functions_of
from psi.lab.tasks.losses import cross_entropy
from psi.lab.tasks.task import Batch, Functions, Splits, Task, TaskFacts

INPUTS, CLASSES, HIDDEN = 16, 4, 32
BATCH, STEPS = 32, 16
ARC = 64  # points of a moon, or of the arm of a spiral
ARMS = 3
SPLIT_ROWS = (256, 512, 256)  # train, validation, test of a stream: for evaluation alone
FIXED_ROWS = (512, 512, 256)


class Mixture(NamedTuple):
    """A Gaussian mixture with label noise, each component of one class."""

    means: Float[Array, "components inputs"]
    label: Int[Array, " components"]
    spread: Float[Array, ""]  # standard deviation of every component
    noise: Float[Array, ""]  # share of labels replaced by uniform random ones


class Teacher(NamedTuple):
    """A random network; labels are drawn from the softmax of its outputs."""

    params: Params
    sharpness: Float[Array, ""]  # β: with 0 labels are pure noise, with ∞ certain
    noise: Float[Array, ""]  # NaN: how noisy a label is depends on x


class Linear(NamedTuple):
    """A linear target on inputs of unequal variance."""

    deviation: Float[Array, " inputs"]  # √λ_k
    weights: Float[Array, " inputs"]
    noise: Float[Array, ""]  # standard deviation of the target's noise


class Family(NamedTuple):
    """A distribution over generators, and how one is sampled and best predicted."""

    inputs: int
    classes: int
    """0: a regression."""
    draw: Callable[[Key[Array, ""]], Any]
    """key → generator"""
    sample: Callable[[int, Any, Key[Array, ""]], Batch]
    """(rows, generator, key) → fresh rows"""
    bayes: Callable[[Any, Batch, float], Float[Array, ""]]
    """(generator, batch, label smoothing) → loss of the best possible predictor on the batch"""
    network: str = "mlp"
    """The usual one."""


def _log_uniform(key: Key[Array, ""], low: float, high: float) -> Float[Array, ""]:
    return jnp.exp(jax.random.uniform(key, minval=jnp.log(low), maxval=jnp.log(high)))


def _draw_mixture(key: Key[Array, ""]) -> Mixture:
    means, spread, noise = jax.random.split(key, 3)
    return Mixture(
        _log_uniform(spread, 0.4, 1.2) * jax.random.normal(means, (CLASSES, INPUTS)),
        jnp.arange(CLASSES),
        jnp.asarray(1.0),
        jax.random.uniform(noise, maxval=0.3),
    )


def _draw_moons(key: Key[Array, ""]) -> Mixture:
    spread, noise = jax.random.split(key)
    angle = jnp.linspace(0, jnp.pi, ARC)
    upper = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
    lower = jnp.stack([1 - jnp.cos(angle), 0.5 - jnp.sin(angle)], axis=1)
    return Mixture(
        jnp.concatenate([upper, lower]) - jnp.array([[0.5, 0.25]]),
        jnp.arange(2).repeat(ARC),
        _log_uniform(spread, 0.1, 0.4),
        jax.random.uniform(noise, maxval=0.2),
    )


def _draw_spirals(key: Key[Array, ""]) -> Mixture:
    spread, noise = jax.random.split(key)
    way = jnp.sqrt(jnp.linspace(0.02, 1, ARC))  # a root, for points at even distances
    start = jnp.arange(ARMS)[:, None] / ARMS
    angle = 2 * jnp.pi * (start + way[None])
    radius = jnp.broadcast_to(2.2 * way, angle.shape)
    points = jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle)], axis=-1)
    return Mixture(
        points.reshape(-1, 2),
        jnp.arange(ARMS).repeat(ARC),
        _log_uniform(spread, 0.1, 0.3),
        jax.random.uniform(noise, maxval=0.2),
    )


def mixture_posterior(
    classes: int, source: Mixture, x: Float[Array, "rows inputs"]
) -> Float[Array, "rows classes"]:
    """Log p(y | x), label noise included."""
    # |x|² is the same for all components and drops out of the softmax.
    logits = x @ source.means.T - (source.means**2).sum(-1)[None] / 2
    component = jax.nn.softmax(logits / source.spread**2)
    clean = component @ jax.nn.one_hot(source.label, classes)
    return jnp.log((1 - source.noise) * clean + source.noise / classes)


def _sample_mixture(classes: int, rows: int, source: Mixture, key: Key[Array, ""]) -> Batch:
    (which, where), label = jax.random.split(jax.random.fold_in(key, 0)), jax.random.fold_in(key, 1)
    components, inputs = source.means.shape
    component = jax.random.randint(which, (rows,), 0, components)
    x = source.means[component] + source.spread * jax.random.normal(where, (rows, inputs))
    return Batch(x, jax.random.categorical(label, mixture_posterior(classes, source, x)))


def _draw_teacher(key: Key[Array, ""]) -> Teacher:
    weights, sharpness = jax.random.split(key)
    params = mlp(INPUTS, CLASSES, HIDDEN).init(weights)
    return Teacher(params, _log_uniform(sharpness, 1.0, 6.0), jnp.asarray(jnp.nan))


def teacher_posterior(
    source: Teacher, x: Float[Array, "rows inputs"]
) -> Float[Array, "rows classes"]:
    """Log p(y | x)."""
    logits = mlp(INPUTS, CLASSES, HIDDEN).apply(source.params, x)
    return jax.nn.log_softmax(source.sharpness * logits, axis=0).T


def _sample_teacher(rows: int, source: Teacher, key: Key[Array, ""]) -> Batch:
    where, label = jax.random.split(key)
    x = jax.random.normal(where, (rows, INPUTS))
    return Batch(x, jax.random.categorical(label, teacher_posterior(source, x)))


def _draw_linear(key: Key[Array, ""]) -> Linear:
    decades, weights, noise = jax.random.split(key, 3)
    span = jax.random.uniform(decades, minval=1.0, maxval=3.0)
    deviation = 10.0 ** (-span / 2 * jnp.linspace(0, 1, INPUTS))
    # Every direction explains the same share of the target's variance, so that slow ones matter.
    weights = jax.random.normal(weights, (INPUTS,)) / deviation / jnp.sqrt(INPUTS)
    return Linear(deviation, weights, _log_uniform(noise, 0.03, 0.5))


def _sample_linear(rows: int, source: Linear, key: Key[Array, ""]) -> Batch:
    where, off = jax.random.split(key)
    x = source.deviation[None] * jax.random.normal(where, (rows, INPUTS))
    return Batch(x, x @ source.weights + source.noise * jax.random.normal(off, (rows,)))


def _linear_bayes(source: Linear, batch: Batch, smoothing: float) -> Float[Array, ""]:
    del smoothing
    return jnp.square(batch.y - batch.x @ source.weights).mean() / 2


def log_loss(posterior: Callable, source: Any, batch: Batch, smoothing: float) -> Float[Array, ""]:
    """Cross-entropy on a batch of the best prediction: p(y | x), smoothed as the labels are."""
    p = jnp.exp(posterior(source, batch.x))
    best = jnp.log((1 - smoothing) * p + smoothing / p.shape[1])
    return cross_entropy(best.T, batch.y, smoothing=smoothing)


def _mixture_family(inputs: int, classes: int, draw: Callable[[Key[Array, ""]], Mixture]) -> Family:
    posterior = partial(mixture_posterior, classes)
    sample = partial(_sample_mixture, classes)
    return Family(inputs, classes, draw, sample, partial(log_loss, posterior))


FAMILIES: tuple[tuple[str, Family], ...] = (
    ("gaussian_mixture", _mixture_family(INPUTS, CLASSES, _draw_mixture)),
    ("ill_conditioned", Family(INPUTS, 0, _draw_linear, _sample_linear, _linear_bayes, "linear")),
    ("moons", _mixture_family(2, 2, _draw_moons)),
    (
        "teacher",
        Family(INPUTS, CLASSES, _draw_teacher, _sample_teacher,
               partial(log_loss, teacher_posterior)),
    ),
)  # fmt: skip
SEALED_FAMILIES: tuple[tuple[str, Family], ...] = (
    ("fourier", Family(fourier.INPUTS, 0, fourier.draw, fourier.sample, fourier.bayes)),
    ("spirals", _mixture_family(2, ARMS, _draw_spirals)),
)


@cache
def _functions(family: Family, model: Network, hyper: Hyper) -> Functions:
    epoch = partial(fresh_epoch, family.sample, hyper.batch or BATCH)
    return functions_of(model, family.classes, hyper, epoch)


def fresh_epoch(
    sample: Callable[..., Batch], batch: int, source: Any, key: Key[Array, ""], i: Int[Array, ""]
) -> Batch:
    """The minibatches of epoch i of a stream: rows that no other epoch of the run has seen."""
    rows = sample(STEPS * batch, source, jax.random.fold_in(key, i))
    return jax.tree.map(lambda a: a.reshape(STEPS, batch, *a.shape[1:]), rows)


@partial(jax.jit, static_argnums=(0, 1, 2))
def draw(
    family: Family, sizes: tuple[int, int, int], smoothing: float, number: Int[Array, ""] | int
) -> tuple[Any, Splits, Float[Array, ""]]:
    """Generator `number`, splits of these sizes, and the Bayes loss on the validation split."""
    key = jax.random.fold_in(jax.random.key(20261122), number)
    source = family.draw(key)
    parts = (
        family.sample(rows, source, jax.random.fold_in(key, part + 1))
        for part, rows in enumerate(sizes)
    )
    splits = Splits(*parts)
    return source, splits, family.bayes(source, splits.validation, smoothing)


def family_task(name: str, number: int, hyper: Hyper, fixed: bool = False) -> Task:
    """Draw `number` of the family `name`, the same task whenever it is asked for."""
    family = dict((*FAMILIES, *SEALED_FAMILIES))[name]
    sizes = FIXED_ROWS if fixed else SPLIT_ROWS
    source, splits, bayes = draw(family, sizes, hyper.label_smoothing, number)
    hyper = replace(hyper, network=hyper.network or family.network)
    model = network(hyper, family.inputs, family.classes or 1)
    if fixed:
        task = fixed_task(f"{name}-{number}-fixed", model, splits, hyper, family.classes)
    else:
        functions = _functions(family, model, replace(hyper, epochs=1))  # budgets share programs
        facts = facts_of(functions, source, splits, hyper, family.classes)
        facts = replace(facts, rows=facts.steps * facts.batch * hyper.epochs)
        task = Task(f"{name}-{number}", functions, source, splits, facts)
    return task._replace(facts=with_generator(task.facts, name, source, bayes, stream=not fixed))


def with_generator(
    facts: TaskFacts, family: str, source: Any, bayes: Float[Array, ""], stream: bool
) -> TaskFacts:
    """Facts with what is known of the generator; the Bayes loss is a floor on streams alone."""
    noise = None if jnp.isnan(source.noise) else float(source.noise)
    floor = float(bayes) if stream else 0.0
    return replace(facts, domain=family, floor=floor, noise=noise, stream=stream)
