"""A learning-rate range test of a training with optax."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key

from psi.advice.range_test import Step


def range_steps(
    loss: Callable[[Any, Any], Float[Array, ""]],
    init: Callable[[Key[Array, ""]], Any],
    batches: Any,
    optimizer: optax.GradientTransformation,
) -> Callable[[int], Step]:
    """Make the trainings with optax that `psi.suggest_lr` runs. The step is compiled once.

    Args:
        loss: `loss(params, batch)` is a minibatch's mean loss, a scalar.
        init: `init(key)` makes the initial params.
        batches: a pytree of minibatches, whose leading axis is their number; they are taken in an
            order that depends on the seed.
        optimizer: the optimizer without its rate: `optax.identity()` for SGD, `optax.trace(0.9)`
            for heavy ball, `optax.scale_by_adam()`.

    Returns:
        `begin`, of which `begin(seed)` starts a training and returns its step: `step(lr)` trains on
        one minibatch and returns its loss.

    Example:
        >>> import jax, jax.numpy as jnp, optax, psi
        >>> from psi.advice.range_optax import range_steps
        >>> x = jax.random.normal(jax.random.key(0), (4, 16, 2))  # four minibatches of 16 rows
        >>> def loss(w, batch):
        ...     return jnp.mean((batch @ w - batch.sum(1)) ** 2)
        >>> begin = range_steps(loss, lambda key: jnp.zeros(2), x, optax.trace(0.9))
        >>> psi.suggest_lr(begin, steps=40).losses.shape
        (3, 40)
    """
    count = len(jax.tree.leaves(batches)[0])
    tx = optax.with_extra_args_support(optimizer)

    @jax.jit
    def train(carry: tuple[Any, Any], lr: Array, number: Array) -> tuple[tuple[Any, Any], Array]:
        params, state = carry
        batch = jax.tree.map(lambda a: a[number], batches)
        value, gradients = jax.value_and_grad(loss)(params, batch)
        updates, state = tx.update(gradients, state, params, value=value)
        updates = jax.tree.map(lambda u: (-lr * u).astype(u.dtype), updates)
        return (optax.apply_updates(params, updates), state), value

    def begin(seed: int) -> Step:
        start, order = jax.random.split(jax.random.key(seed))
        params = init(start)
        carry, taken, drawn = (params, tx.init(params)), 0, order

        def step(lr: float) -> float:
            nonlocal carry, taken, drawn
            if taken % count == 0:  # another order at each pass
                drawn = jax.random.permutation(jax.random.fold_in(order, taken // count), count)
            carry, value = train(carry, jnp.asarray(lr, float), drawn[taken % count])
            taken += 1
            return float(value)

        return step

    return begin
