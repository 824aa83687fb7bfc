"""Losses and accuracies of a network's outputs, whose rows are the last axis."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

Outputs = Float[Array, "outputs *rows"]
Real = Bool[Array, "*rows"] | None


class Loss(NamedTuple):
    """A loss, and the accuracy that people read beside it: the share right, or R²."""

    loss: Callable[[Outputs, Array, Real], Float[Array, ""]]
    """(outputs, targets, which rows are not padding) → mean over those rows"""
    accuracy: Callable[[Outputs, Array], Float[Array, ""]]
    """(outputs, targets) → share right, or R²"""


def cross_entropy(
    logits: Outputs, y: Int[Array, "*rows"], real: Real = None, smoothing: float = 0.0
) -> Float[Array, ""]:
    """Mean of −Σ_c q_c log softmax(logits)_c, q = (1 − smoothing) onehot(y) + smoothing/classes.

    In nats, over the rows that are not padding. Label smoothing after Szegedy et al. 2016 (arXiv
    1512.00567).
    """
    shifted = logits - jax.lax.stop_gradient(logits.max(0, keepdims=True))
    hot = jax.nn.one_hot(y, logits.shape[0], axis=0, dtype=logits.dtype)
    if real is not None:
        hot = hot * real[None]
    # A product: a gather, with the scatter that is its gradient, would halve the engine's speed.
    right = jnp.vdot(hot, shifted, precision="highest") / _count(y, real)
    if smoothing:
        right = (1 - smoothing) * right + smoothing * mean(shifted.mean(0), real)
    return mean(jnp.log(jnp.exp(shifted).sum(0)), real) - right


def mean(values: Float[Array, "*rows"], real: Real) -> Float[Array, ""]:
    """Mean over the rows that are not padding; 0 where all are."""
    kept = values if real is None else jnp.where(real, values, 0)
    return kept.sum() / _count(values, real)


def _count(rows: Array, real: Real) -> Any:
    return rows.size if real is None else jnp.maximum(real.sum(), 1)


def share_right(logits: Outputs, y: Int[Array, "*rows"]) -> Float[Array, ""]:
    """Share of rows whose label has the largest logit; ties count as right."""
    hot = jax.nn.one_hot(y, logits.shape[0], axis=0, dtype=bool)
    return (jnp.where(hot, logits, 0).sum(0) >= logits.max(0)).mean()


def squared_error(
    outputs: Outputs, y: Float[Array, "*rows"], real: Real = None
) -> Float[Array, ""]:
    """½ mean (f(x) − y)² over the rows that are not padding, f being the first output."""
    return mean(jnp.square(outputs[0] - y), real) / 2


def r_squared(outputs: Outputs, y: Float[Array, "*rows"]) -> Float[Array, ""]:
    """R² = 1 − Σ (f(x) − y)² / Σ (y − mean y)², f being the first output."""
    return 1 - jnp.square(outputs[0] - y).sum() / jnp.square(y - y.mean()).sum()


LOSSES: tuple[tuple[str, Loss], ...] = (
    ("cross_entropy", Loss(cross_entropy, share_right)),
    ("squared_error", Loss(squared_error, r_squared)),
)
