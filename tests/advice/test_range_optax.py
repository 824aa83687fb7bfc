"""A range test with optax: the rate trains the network."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import psi
from psi.advice.range_optax import range_steps
from tests.advice.digits import digits, trains_well


def test_optax_trains_at_the_rate() -> None:
    x, y = digits()
    batches = jnp.asarray(x).reshape(-1, 128, 64), jnp.asarray(y).reshape(-1, 128)

    def init(key: Any) -> Any:
        one, two = jax.random.split(key)
        return jax.random.normal(one, (64, 512)) / 6, jax.random.normal(two, (512, 10)) / 16

    def loss(params: Any, batch: Any) -> Any:
        logits = jax.nn.relu(batch[0] @ params[0]) @ params[1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

    begin = range_steps(loss, init, batches, optax.identity())
    found = psi.suggest_lr(begin)
    trains_well(found)
    assert np.array_equal(psi.suggest_lr(begin).losses, found.losses, equal_nan=True)
    step = begin(9)
    losses = [step(found.lr or 0.0) for _ in range(140)]
    assert np.mean(losses[-14:]) < 0.35
