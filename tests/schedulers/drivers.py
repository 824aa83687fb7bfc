"""One loss an epoch through every adapter: the rate of each epoch, and the one after the last.

A validation loss may come with each, `held`.

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


def clock_rates(
    law: Law, losses: np.ndarray, epochs: int, held: np.ndarray | None = None, **settings: Any
) -> np.ndarray:
    """By the clock itself, on numpy; losses of shape (epochs, …), the rates (epochs + 1, …)."""
    clock = Clock(law, epochs, **settings)
    state = clock_.start(clock, np)
    state = jax.tree.map(lambda a: np.broadcast_to(a, losses.shape[1:]), state)
    rates = [state.learning_rate]
    for loss, v in zip(losses.astype(np.float64), _held(held, losses), strict=True):
        state = clock_.tick(clock, clock_.observe(state, loss), np, v.astype(np.float64))
        rates.append(state.learning_rate)
    return np.stack(rates)


def _held(held: np.ndarray | None, losses: np.ndarray) -> np.ndarray:
    return np.full_like(losses, np.nan) if held is None else held


def torch_rates(law: Law, losses: np.ndarray, epochs: int, **settings: Any) -> Rates:
    torch = pytest.importorskip("torch")

    def feed(scheduler: Any, loss: np.float32, v: np.float32) -> None:
        _quietly(scheduler.step, torch.tensor(loss), torch.tensor(v))

    return _psi_lr(feed, law, losses, epochs, **settings)


def torch_observed(law: Law, losses: np.ndarray, epochs: int, **settings: Any) -> Rates:
    """Every loss as two minibatches of it, v before `step` without arguments."""
    torch = pytest.importorskip("torch")

    def feed(scheduler: Any, loss: np.float32, v: np.float32) -> None:
        scheduler.observe(torch.tensor(loss))
        scheduler.observe(float(loss))
        scheduler.validate(float(v))
        _quietly(scheduler.step)

    return _psi_lr(feed, law, losses, epochs, **settings)


def torch_late(law: Law, losses: np.ndarray, epochs: int, **settings: Any) -> Rates:
    """Every v after `step`, as trainers validate."""

    def feed(scheduler: Any, loss: np.float32, v: np.float32) -> None:
        _quietly(scheduler.step, float(loss))
        scheduler.validate(float(v))

    return _psi_lr(feed, law, losses, epochs, **settings)


def _psi_lr(
    feed: Callable[[Any, np.float32, np.float32], None],
    law: Law,
    losses: np.ndarray,
    epochs: int,
    held: np.ndarray | None = None,
    **settings: Any,
) -> Rates:
    pytest.importorskip("torch")
    import torch

    from psi.schedulers.torch import PsiLR

    optimizer = torch.optim.SGD([torch.zeros(3, requires_grad=True)], lr=1.0)
    scheduler = PsiLR(optimizer, law, epochs, **settings)
    rates = [optimizer.param_groups[0]["lr"]]
    for loss, v in zip(losses, _held(held, losses), strict=True):
        feed(scheduler, loss, v)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def keras_rates(
    law: Law, losses: np.ndarray, epochs: int, held: np.ndarray | None = None, **settings: Any
) -> Rates:
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
    for epoch, (loss, v) in enumerate(zip(losses, _held(held, losses), strict=True)):
        schedule.on_epoch_begin(epoch)
        logs = {"loss": loss} if held is None else {"loss": loss, "val_loss": v}
        _quietly(schedule.on_epoch_end, epoch, logs)
        rates.append(float(model.optimizer.learning_rate))
    return rates


def optax_rates(
    law: Law, losses: np.ndarray, epochs: int, held: np.ndarray | None = None, **settings: Any
) -> Rates:
    """Epochs of one step, and one step more, whose loss no rate hangs on."""
    every = jnp.asarray(np.append(losses, np.float32(1.0)))
    given = jnp.asarray(np.append(np.float32(np.nan), _held(held, losses)))
    run = _optax_run(law, epochs, *sorted(settings.items()))
    return np.asarray(run(every, given)).tolist()


@cache
def _optax_run(law: Law, epochs: int, *settings: tuple[str, Any]) -> Any:
    tx: Any = scale_by_psi(law, 1, epochs, **dict(settings))

    def step(state: Any, seen: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        updates, state = tx.update(jnp.ones(()), state, value=seen[0], val_value=seen[1])
        return state, -updates

    return jax.jit(lambda *seen: jax.lax.scan(step, tx.init(jnp.ones(())), seen)[1])


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
    "torch, validate after step": Driver(torch_late, 0.0),
    "keras": Driver(keras_rates, 6e-8),
    "optax": Driver(optax_rates, 1e-5),
    "optax in doubles": Driver(optax_in_doubles, 1e-12),
}


def _quietly(call: Callable[..., None], *arguments: Any) -> None:
    """A loss that is not finite, or does not come, is said once; that has tests of its own."""
    said = "psi: (epoch|outside|[0-9]+ epochs|this law answers a validation)"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", said, UserWarning)
        call(*arguments)
