"""Rules that change the task's own rate once an epoch, by the loss or the size of the updates.

A rule sees what is known before epoch i: the loss after epoch i − 1. Epoch 0 is trained at the rate
given. Where what a rule watches is not finite, it keeps its rate and all that it remembers. No rule
takes a step back or restores earlier weights: of methods that also do that, only the rate is here.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from psi.bench.baselines.baseline import Baseline
from psi.lab.engine.policy import Policy
from psi.law.features import Observation

Watch = Callable[[Observation], Float[Array, ""]]


class Memory(NamedTuple):
    """What a rule remembers from one epoch to the next."""

    rate: Float[Array, ""]
    level: Float[Array, ""]  # the value that the next one is held against
    bad: Int[Array, ""]  # epochs on end without an improvement
    good: Int[Array, ""]  # epochs on end with one


React = Callable[[Memory, Float[Array, ""]], Memory]
"""(memory, what is watched) → memory with the next rate"""


def running_loss(seen: Observation) -> Float[Array, ""]:
    """ε_i in nats."""
    return jnp.asarray(seen.loss)


def validation_loss(seen: Observation) -> Float[Array, ""]:
    """v_i in nats where it is finite, else ε_i: streams and users' loops may have no v."""
    return jnp.where(jnp.isfinite(seen.val_loss), seen.val_loss, seen.loss)


def update_ratio(seen: Observation) -> Float[Array, ""]:
    """‖Δθ‖ over ‖θ‖ of a step, root mean square over epoch i − 1; NaN where nothing has moved."""
    return jnp.where(seen.update_norm > 0, seen.update_norm / seen.weight_norm, jnp.nan)


def reacting(
    rate: Float[Array, ""], watch: Watch, react: React, level: Watch | float = jnp.inf
) -> Policy:
    """The policy of a rule from `rate` on; `level`: what the first value is held against."""

    def init(seen: Observation) -> Memory:
        first = level(seen) if callable(level) else level
        zero = jnp.asarray(0)
        return Memory(jnp.asarray(rate, float), jnp.asarray(first, float), zero, zero)

    def step(memory: Memory, seen: Observation) -> tuple[Memory, Float[Array, ""]]:
        value = watch(seen)
        after = react(memory, value)
        fine = jnp.isfinite(value) & jnp.isfinite(after.rate) & (seen.epoch > 0)
        memory = jax.tree.map(partial(jnp.where, fine), after, memory)
        return memory, memory.rate

    return Policy(init, step)


def bold_driver(rate: Float[Array, ""], budget: int) -> Policy:
    """1.05 α where the running loss has fallen, α/2 where it has not."""
    del budget

    def react(memory: Memory, loss: Array) -> Memory:
        factor = jnp.where(loss < memory.level, 1.05, 0.5)
        return memory._replace(rate=factor * memory.rate, level=loss)

    return reacting(rate, running_loss, react, level=running_loss)


def plateau(
    factor: float, patience: int, threshold: float, rate: Float[Array, ""], budget: int
) -> Policy:
    """α · factor after more than `patience` epochs on end without v < (1 − threshold) · lowest v.

    As torch's ReduceLROnPlateau, but for its rule that a rate never changes by less than 1e-8.
    """
    del budget

    def react(memory: Memory, loss: Array) -> Memory:
        better = loss < memory.level * (1 - threshold)
        bad = jnp.where(better, 0, memory.bad + 1)
        cut = bad > patience
        return memory._replace(
            rate=jnp.where(cut, factor * memory.rate, memory.rate),
            level=jnp.where(better, loss, memory.level),
            bad=jnp.where(cut, 0, bad),
        )

    return reacting(rate, validation_loss, react)


def greedy(patience: int, rate: Float[Array, ""], budget: int) -> Policy:
    """α/F after more than `patience` better epochs on end, F α after as many others, F = 0.95.

    As transformers' GreedyLR: better by 1e-6 nats, and rates are not raised above 1 nor lowered
    below 0.001. What it does after 500 epochs at its lowest rate is left out.
    """
    del budget

    def react(memory: Memory, loss: Array) -> Memory:
        better = loss < memory.level - 1e-6
        good = jnp.where(better, memory.good + 1, 0)
        bad = jnp.where(better, 0, memory.bad + 1)
        up, down = good > patience, bad > patience
        raised = jnp.maximum(memory.rate, jnp.minimum(memory.rate / 0.95, 1.0))
        lowered = jnp.minimum(memory.rate, jnp.maximum(memory.rate * 0.95, 1e-3))
        return Memory(
            rate=jnp.where(up, raised, jnp.where(down, lowered, memory.rate)),
            level=jnp.where(better, loss, memory.level),
            bad=jnp.where(down, 0, bad),
            good=jnp.where(up, 0, good),
        )

    return reacting(rate, validation_loss, react)


def loss_proportional(rate: Float[Array, ""], budget: int) -> Policy:
    """α ε_i/ε_0."""
    del budget

    def react(memory: Memory, loss: Array) -> Memory:
        return memory._replace(rate=rate * loss / memory.level)

    return reacting(rate, running_loss, react, level=running_loss)


def held_ratio(rate: Float[Array, ""], budget: int) -> Policy:
    """α · 1e-3/(‖Δθ‖/‖θ‖), by no more than a factor of 10 an epoch."""
    del budget

    def react(memory: Memory, ratio: Array) -> Memory:
        return memory._replace(rate=memory.rate * jnp.clip(1e-3 / ratio, 0.1, 10.0))

    return reacting(rate, update_ratio, react)


ROWS = (
    Baseline(
        "bold_driver",
        bold_driver,
        sees=("loss",),
        formula="α_i = 1.05 α_{i−1} if ε_i < ε_{i−1}, else α_{i−1}/2",
        source="Vogl et al. 1988 (1.05), Battiti 1989 (1/2), in Reed & Marks 1999, 9.2",
    ),
    Baseline(
        "reduce_on_plateau",
        partial(plateau, 0.1, 10, 1e-4),
        sees=("validation",),
        formula="α_i = α_{i−1}/10 after 11 epochs without v < 0.9999 min v, else α_{i−1}",
        source="torch ReduceLROnPlateau, its defaults",
    ),
    Baseline(
        "reduce_on_plateau_5",
        partial(plateau, 0.2, 5, 1e-4),
        sees=("validation",),
        formula="α_i = α_{i−1}/5 after 6 epochs without v < 0.9999 min v, else α_{i−1}",
        source="keras ReduceLROnPlateau, the example on its page; counted as in torch",
    ),
    Baseline(
        "step_when_stopped",
        partial(plateau, 0.1, 2, 0.0),
        sees=("validation",),
        formula="α_i = α_{i−1}/10 where early stopping would stop: 3 epochs without a new min v",
        source="Krizhevsky et al. 2012 (α/10 when v stops falling); patience: Lightning's default",
    ),
    Baseline(
        "greedy",
        partial(greedy, 0),
        sees=("validation",),
        formula="α_i = α_{i−1}/0.95 if v_i < min v − 1e-6, else 0.95 α_{i−1}; in [0.001, 1]",
        source="Subramanian et al. 2025, arXiv 2512.14527; transformers GreedyLR without patience",
    ),
    Baseline(
        "loss_proportional",
        loss_proportional,
        sees=("loss",),
        formula="α_i = α ε_i/ε_0",
        source="the idea of AdaLo (row adalo), by the epoch and of the usual rate",
    ),
    Baseline(
        "update_ratio",
        held_ratio,
        sees=("gradients",),
        formula="α_i = α_{i−1} clip(0.001/(‖Δθ‖/‖θ‖), 0.1, 10)",
        source="Karpathy, CS231n, Ratio of weights:updates",
    ),
)
