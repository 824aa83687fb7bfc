"""Networks that tasks train."""

import math
from functools import cache, partial
from itertools import pairwise

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from psi.lab.task import Batch, Functions, Params


def mlp_init(widths: tuple[int, ...], key: Key[Array, ""]) -> Params:
    """He initialisation, W ~ N(0, 2/inputs), b = 0 (He et al. 2015, arXiv 1502.01852)."""
    keys = jax.random.split(key, len(widths) - 1)
    return [
        (jax.random.normal(k, (n, m)) * math.sqrt(2 / n), jnp.zeros(m))
        for k, (n, m) in zip(keys, pairwise(widths), strict=True)
    ]


def mlp_logits(params: Params, x: Float[Array, "rows inputs"]) -> Float[Array, "rows classes"]:
    """Dense layers with ReLU between them."""
    for weights, bias in params[:-1]:
        x = jax.nn.relu(x @ weights + bias[None])
    weights, bias = params[-1]
    return x @ weights + bias[None]


def cross_entropy(params: Params, batch: Batch) -> Float[Array, ""]:
    """Mean of −log softmax(logits)[label], in nats."""
    logits = mlp_logits(params, batch.x)
    return (jax.nn.logsumexp(logits, axis=-1) - _at_label(logits, batch.y)).mean()


def accuracy(params: Params, batch: Batch) -> Float[Array, ""]:
    """Share of rows whose label's logit is the largest (ties count as right)."""
    logits = mlp_logits(params, batch.x)
    return (_at_label(logits, batch.y) >= logits.max(-1)).mean()


def _at_label(
    logits: Float[Array, "rows classes"], y: Int[Array, " rows"]
) -> Float[Array, " rows"]:
    # A masked sum: a gather, and the scatter that is its gradient, halve the engine's speed.
    return jnp.where(jax.nn.one_hot(y, logits.shape[-1], dtype=bool), logits, 0).sum(-1)


@cache
def mlp_from_rows(widths: tuple[int, ...], steps: int, batch: int) -> Functions:
    """An MLP on fixed rows: each epoch is one pass in a fresh random order."""
    epoch = partial(shuffled_epoch, steps, batch)
    return Functions(partial(mlp_init, widths), cross_entropy, accuracy, epoch)


def shuffled_epoch(steps: int, batch: int, rows: Batch, key: Key[Array, ""]) -> Batch:
    """The steps × batch distinct rows in random order; what is left over sits this epoch out."""
    order = jax.random.permutation(key, rows.y.shape[0])[: steps * batch]
    return Batch(
        rows.x[order].reshape(steps, batch, -1),
        rows.y[order].reshape(steps, batch),
    )
