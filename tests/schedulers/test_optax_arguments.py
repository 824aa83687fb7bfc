"""The optax adapter's arguments: what makes no sense is refused, with the rule and the value."""

import math
from typing import Any

import jax.numpy as jnp
import optax
import pytest

from psi.law.law import Law
from psi.schedulers import optax as adapter

# optax's types let no dictionary of arguments through.
scale_by_psi: Any = adapter.scale_by_psi
chain: Any = optax.chain

STEPS = 3
EPOCHS = 4


@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "in a chain"])
def test_a_missing_loss_is_an_error_that_says_what_to_pass(formula: Law, wrapped: bool) -> None:
    tx = scale_by_psi(formula, STEPS, EPOCHS)
    tx = chain(optax.trace(0.9), tx) if wrapped else tx
    with pytest.raises(ValueError, match=r"tx\.update\(grads, state, params, value=loss\)"):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2)), jnp.ones(2))


@pytest.mark.parametrize("initial", [None, 2.0])
@pytest.mark.parametrize("shape", [(1,), (5,)])
def test_losses_of_a_whole_batch_are_refused(
    formula: Law, shape: tuple[int, ...], initial: float | None
) -> None:
    tx = scale_by_psi(formula, STEPS, EPOCHS, initial)
    with pytest.raises(ValueError, match=r"value must be one loss, a scalar; got shape"):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2)), value=jnp.ones(shape))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no steps": ({"steps_per_epoch": 0}, "steps_per_epoch must be a whole number >= 1, got 0"),
    "half a step": ({"steps_per_epoch": 0.5}, "steps_per_epoch must be"),
    "steps of a float": ({"steps_per_epoch": 3.0}, "steps_per_epoch must be"),
    "no epochs": ({"epochs": 0}, "epochs must be a whole number >= 1, got 0"),
    "epochs of a float": ({"epochs": 3.0}, "epochs must be"),
    "first loss zero": ({"initial_loss": 0.0}, "initial_loss must be positive"),
    "first loss not finite": ({"initial_loss": math.inf}, "initial_loss must be positive"),
    "first loss not a number": ({"initial_loss": math.nan}, "initial_loss must be positive"),
    "limits upside down": ({"min_lr": 1.0, "max_lr": 0.1}, "rates must be"),
    "a negative limit": ({"min_lr": -1.0}, "rates must be"),
    "no upper limit": ({"max_lr": math.inf}, "rates must be"),
    "no law": ({"law": "law.json"}, "law must be a psi.Law"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_arguments_that_make_no_sense_are_refused(formula: Law, wrong: str) -> None:
    change, reason = WRONG[wrong]
    with pytest.raises(ValueError, match=reason):
        scale_by_psi(**({"law": formula, "steps_per_epoch": 3, "epochs": 4} | change))
