"""What a law may see: named features of an observation.

A law declares an ordered tuple of names from `FEATURES`, and `values` turns an observation into the
numbers that it is evaluated at. The names are part of the law-file format: their meaning never
changes.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from psi.law.namespace import Array, Namespace


class Observation(NamedTuple):
    """What is known when the rate α_i of epoch i is chosen. Scalars; shape=()."""

    epoch: Array
    """i, epochs finished so far."""
    budget: Array
    """T, the budget in epochs."""
    loss: Array
    """ε_i in nats: the mean minibatch loss of epoch i−1; ε_0 for i = 0."""
    initial_loss: Array
    """ε_0 in nats."""
    best_loss: Array
    """min of ε_0 … ε_i, in nats."""
    grad_norm: Array
    """‖g‖, root mean square over the minibatches of epoch i−1; 0 for i = 0."""
    update_norm: Array
    """‖Δθ‖, root mean square over the steps of epoch i−1; 0 for i = 0."""
    weight_norm: Array
    """‖θ‖ before epoch i."""
    parameters: Array
    """P, the number of trainable parameters. Like what follows, NaN where it is not known."""
    val_loss: Array = math.nan
    """v_i in nats, the loss on validation rows before epoch i."""
    batch: Array = math.nan
    """Rows of an update."""
    steps: Array = math.nan
    """Updates of an epoch."""
    rows: Array = math.nan
    """Training rows; 1 on a stream."""
    stream: Array = math.nan
    """1 on a stream, where no row is seen twice, else 0."""
    chance_loss: Array = math.nan
    """L_chance in nats, the loss of the best constant predictor; half the mean square."""
    classes: Array = math.nan
    """Classes of the targets; 1 of a regression."""
    weight_rms: Array = math.nan
    """Root mean square of the initial weights."""
    initial_grad_norm: Array = math.nan
    """‖g_0‖, of the first minibatch's gradient at the initial weights."""
    memory: Any = ()
    """The `Memory` of the losses, for a law that sees it."""


FEATURES: Mapping[str, Callable[[Observation], Array]] = MappingProxyType(
    {
        "loss": lambda o: o.loss,
        "epoch": lambda o: o.epoch,
        "loss_ratio": lambda o: o.loss / o.initial_loss,
        "progress": lambda o: o.epoch / o.budget,
        "parameters": lambda o: o.parameters,
        "budget": lambda o: o.budget,
        "batch": lambda o: o.batch,
        "steps": lambda o: o.steps,
        "rows": lambda o: o.rows,
        "stream": lambda o: o.stream,
        "chance_loss": lambda o: o.chance_loss,
        "classes": lambda o: o.classes,
        "weight_rms": lambda o: o.weight_rms,
        "initial_grad_norm": lambda o: o.initial_grad_norm,
        "loss_excess": lambda o: o.memory.loss.excess,
        "loss_progress": lambda o: o.memory.loss.progress,
        "loss_trend": lambda o: o.memory.loss.trend,
        "loss_stalled": lambda o: o.memory.loss.stalled,
        "loss_since_best": lambda o: o.memory.loss.since,
        "val_excess": lambda o: o.memory.validation.excess,
        "val_progress": lambda o: o.memory.validation.progress,
        "val_trend": lambda o: o.memory.validation.trend,
        "val_stalled": lambda o: o.memory.validation.stalled,
        "val_since_best": lambda o: o.memory.validation.since,
        "val_gap": lambda o: o.memory.gap,
        "val_known": lambda o: (o.memory.validation.best < math.inf) * 1.0,
        "feedback": lambda o: o.memory.feedback,
    }
)
"""ε [nats]; i [epochs]; ε/ε_0; i/T; P; T [epochs]; then facts as an `Observation` has them, and
the memory of both losses."""

FACTS = (
    "parameters", "budget", "batch", "steps", "rows", "stream", "chance_loss", "classes",
    "weight_rms",
    "initial_grad_norm",
)  # fmt: skip
"""Features that are known before training."""
MEMORY = (
    *(f"loss_{what}" for what in ("excess", "progress", "trend", "stalled", "since_best")),
    *(f"val_{what}" for what in ("excess", "progress", "trend", "stalled", "since_best")),
    "val_gap",
    "val_known",
    "feedback",
)
"""Features for which a clock remembers the losses."""


def check_names(names: tuple[str, ...]) -> None:
    """Raise ValueError unless `names` is a non-empty tuple of distinct known features."""
    if not names or len(set(names)) != len(names):
        raise ValueError(f"features must be distinct names, at least one; got {names}")
    for name in names:
        if name not in FEATURES:
            raise ValueError(f"unknown feature {name!r}; known: {', '.join(FEATURES)}")


def values(names: tuple[str, ...], observation: Observation, xp: Namespace) -> Array:
    """The features of one observation, in the order of `names`; shape=(len(names),)."""
    return xp.stack([xp.asarray(FEATURES[name](observation), dtype=float) for name in names])
