"""A law as an optax gradient transformation.

tx = optax.chain(optax.trace(0.9), scale_by_psi(law, steps_per_epoch=32, epochs=20))
updates, state = tx.update(grads, state, params, value=loss)
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from psi.law.checks import whole_number
from psi.law.clock import Clock, ClockState, observe, start, turn
from psi.law.law import Law


def scale_by_psi(
    law: Law,
    steps_per_epoch: int,
    epochs: int | None = None,
    initial_loss: float | None = None,
    scale: Any = None,
    min_lr: float = 1e-6,
    max_lr: float = 10.0,
    *,
    warmup: int = 0,
    max_change: float | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Multiply updates by −α_i, α_i = Ψ(ε, i), as `optax.scale_by_learning_rate` does by −α.

    The rate is absolute and constant within an epoch of `steps_per_epoch` updates. `update` needs
    the minibatch's loss as the keyword `value` (a scalar in nats); the first one is ε_0 unless
    `initial_loss` gives it. A law that is scale × shape takes its α_0 from `scale` (a number or a
    scalar array, also a traced one), or else its own typical one; one that sees the number of
    parameters counts those that `init` is given. `warmup` (epochs) and `max_change` (a factor) are
    those of `psi.law.clock.Clock`.

    The state is a `ClockState`. `optax.tree.get(state, "learning_rate")` is the rate last used,
    `"skipped"` how many epochs had a mean loss that is not finite and so kept the rate before;
    `optax.tree.set(state, budget=40.0)` goes on to another budget T.

    Raises ValueError for numbers that make no sense, and at `update` where `value` is missing or
    no scalar.
    """
    clock = Clock(law, epochs, initial_loss, min_lr, max_lr, scale, None, warmup, max_change)
    steps_per_epoch = whole_number("steps_per_epoch", steps_per_epoch)

    @jax.jit  # for loops that are not: compiled once, not operation by operation
    def turned(state: ClockState, loss: jax.Array) -> ClockState:
        begins = (state.epoch == 0) & (state.count == 0)
        ends = state.count == steps_per_epoch
        return turn(clock, state, loss, begins, ends, jnp)

    def init(params: optax.Params) -> ClockState:
        state = start(replace(clock, parameters=max(optax.tree.size(params), 1)), jnp)
        return jax.tree.map(jnp.array, state)  # a buffer each, so that all can be donated

    def update(
        updates: optax.Updates,
        state: Any,
        params: optax.Params | None = None,
        *,
        value: Any = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, ClockState]:
        del params, extra_args
        if value is None:
            raise ValueError(
                "scale_by_psi needs the loss: tx.update(grads, state, params, value=loss)"
            )
        loss = jnp.asarray(value, dtype=state.total.dtype)
        if loss.shape != ():
            raise ValueError(f"value must be one loss, a scalar; got shape {loss.shape}")
        state = turned(state, loss)
        rate = state.learning_rate
        updates = jax.tree.map(lambda u: (-rate * u).astype(u.dtype), updates)
        return updates, observe(state, loss)

    return optax.GradientTransformationExtraArgs(init, update)
