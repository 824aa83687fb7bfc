"""A range test with optax: psi.suggest_lr(range_steps(loss, init, batches, optimizer))."""

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
    """What begins a training with a seed, for `psi.suggest_lr`.

    `loss(params, batch)` is a minibatch's mean loss, `init(key)` makes params, `batches` is a
    pytree of minibatches with a leading axis for their number, which are taken in an order drawn
    from the seed, and `optimizer` is without its rate: `optax.identity()` for SGD,
    `optax.trace(0.9)` for heavy ball, `optax.scale_by_adam()`. Compiled once.
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
