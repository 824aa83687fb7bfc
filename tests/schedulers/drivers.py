"""One loss an epoch through every adapter: the rate of each epoch, and the one after the last.

`DRIVERS` is the table of them; `clock_rates` is what they are held to.
"""

import os
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.law import clock as clock_
from psi.law.clock import Clock
from psi.law.law import Law
from psi.schedulers.optax import scale_by_psi

Rates = list[float]
INITIAL = 2.0
LIMITS: dict[str, Any] = {"initial_loss": INITIAL, "min_lr": 0.01, "max_lr": 0.25}


def clock_rates(law: Law, losses: np.ndarray, epochs: int, **settings: Any) -> np.ndarray:
    """By the clock itself, on numpy; losses of shape (epochs, …), the rates (epochs + 1, …)."""
    clock = Clock(law, epochs, **settings)
    state = clock_.start(clock, np)
    state = clock_.ClockState(*(np.broadcast_to(a, losses.shape[1:]) for a in state))
    rates = [state.learning_rate]
    for loss in losses.astype(np.float64):
        state = clock_.tick(clock, clock_.observe(state, loss), np)
        rates.append(state.learning_rate)
    return np.stack(rates)


def torch_rates(law: Law, losses: np.ndarray, epochs: int, **settings: Any) -> Rates:
    torch = pytest.importorskip("torch")
    return _psi_lr(
        lambda scheduler, loss: _quietly(scheduler.step, torch.tensor(loss)),
        law, losses, epochs, **settings,
    )  # fmt: skip


def torch_observed(law: Law, losses: np.ndarray, epochs: int, **settings: Any) -> Rates:
    """Every loss as two minibatches of it, and `step` without arguments."""
    torch = pytest.importorskip("torch")

    def feed(scheduler: Any, loss: np.float32) -> None:
        scheduler.observe(torch.tensor(loss))
        scheduler.observe(float(loss))
        _quietly(scheduler.step)

    return _psi_lr(feed, law, losses, epochs, **settings)


def _psi_lr(
    feed: Callable[[Any, np.float32], None],
    law: Law,
    losses: np.ndarray,
    epochs: int,
    **settings: Any,
) -> Rates:
    import torch

    from psi.schedulers.torch import PsiLR

    optimizer = torch.optim.SGD([torch.zeros(3, requires_grad=True)], lr=1.0)
    scheduler = PsiLR(optimizer, law, epochs, **settings)
    rates = [optimizer.param_groups[0]["lr"]]
    for loss in losses:
        feed(scheduler, loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def keras_rates(law: Law, losses: np.ndarray, epochs: int, **settings: Any) -> Rates:
    """The callback's hooks as `fit` calls them; Keras keeps rates as float32."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    from psi.schedulers.keras import PsiSchedule

    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    schedule = PsiSchedule(law, epochs, **settings)
    schedule.set_model(model)
    schedule.on_train_begin()
    rates = [float(model.optimizer.learning_rate)]
    for epoch, loss in enumerate(losses):
        schedule.on_epoch_begin(epoch)
        _quietly(schedule.on_epoch_end, epoch, {"loss": loss})
        rates.append(float(model.optimizer.learning_rate))
    return rates


def optax_rates(law: Law, losses: np.ndarray, epochs: int, **settings: Any) -> Rates:
    """Epochs of one step, and one step more, whose loss no rate hangs on."""
    every = jnp.asarray(np.append(losses, np.float32(1.0)))
    return np.asarray(_optax_run(law, epochs, *sorted(settings.items()))(every)).tolist()


@cache
def _optax_run(law: Law, epochs: int, *settings: tuple[str, Any]) -> Any:
    tx: Any = scale_by_psi(law, 1, epochs, **dict(settings))

    def step(state: Any, loss: jax.Array) -> tuple[Any, jax.Array]:
        updates, state = tx.update(jnp.ones(()), state, value=loss)
        return state, -updates

    return jax.jit(lambda losses: jax.lax.scan(step, tx.init(jnp.ones(())), losses)[1])


def optax_in_doubles(law: Law, losses: np.ndarray, epochs: int, **settings: Any) -> Rates:
    with jax.enable_x64(True):
        return optax_rates(law, losses, epochs, **settings)


class Driver(NamedTuple):
    """An adapter, and how near its rates are to the clock's."""

    rates: Callable[..., Rates]
    near: float


DRIVERS = {
    "torch, step(loss)": Driver(torch_rates, 0.0),
    "torch, observe and step()": Driver(torch_observed, 0.0),
    "keras": Driver(keras_rates, 6e-8),
    "optax": Driver(optax_rates, 1e-5),
    "optax in doubles": Driver(optax_in_doubles, 1e-12),
}


def _quietly(call: Callable[..., None], *arguments: Any) -> None:
    """A loss that is not finite is said once; that has tests of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "psi: (epoch|outside|[0-9]+ epochs)", UserWarning)
        call(*arguments)
