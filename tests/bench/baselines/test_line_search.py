"""Line searches on full batches: steps, and that they find the minimum."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from psi.bench.baselines import BASELINES, line_search
from tests.bench.baselines.steps import (
    EPOCHS,
    START,
    STEPS,
    X,
    Y,
    agree,
    by_hand,
    gradient,
    loss,
    trained,
    tree_loss,
)  # fmt: skip

ALL = X.reshape(-1, 3), Y.reshape(-1)


def test_rows_are_of_full_batches_and_not_tuned():
    assert [row.name for row in line_search.ROWS] == ["lbfgs", "backtracking"]
    assert all(row.full_batch and not row.tuned for row in line_search.ROWS)


@pytest.fixture(scope="module")
def lbfgs():
    return trained(BASELINES["lbfgs"], [1.0, 1.0])[0][1]


def test_lbfgs_is_optax_s_step_by_step(lbfgs):
    """A loop without lanes and scan, which keeps losses and gradients from the search."""
    optimizer, path = optax.lbfgs(), []

    @jax.jit
    def step(params, state):
        found, grads = optax.value_and_grad_from_state(value)(params, state=state)
        seen = {"value": found, "grad": grads, "value_fn": value}
        updates, state = optimizer.update(grads, state, params, **seen)
        return optax.apply_updates(params, updates), state

    def value(params):
        return tree_loss(params, *map(jnp.asarray, ALL))

    with jax.enable_x64(True):
        params = {"w": jnp.asarray(START[:3]), "b": jnp.asarray(START[3])}
        state = optimizer.init(params)
        for _ in range(6):
            params, state = step(params, state)
            path.append(np.append(params["w"], params["b"]))
    agree(lbfgs[:6], np.array(path), 1e-7)


def test_lbfgs_finds_the_minimum(lbfgs):
    assert np.linalg.norm(gradient(lbfgs[-1], *ALL)) < 1e-6


def test_backtracking_follows_armijo_s_rule():
    last, losses = 1.0, []

    def update(theta, g, now):
        nonlocal last
        rate = min(1.5 * last, 1.0)
        for _ in range(15):
            if loss(theta - rate * g, *ALL) <= now - 1e-4 * rate * g @ g:
                break
            rate *= 0.8
        last = rate
        losses.append(now)
        return rate * g

    row = BASELINES["backtracking"]
    agree(trained(row, [1.0])[0][0], by_hand(update, 1.0, row))
    assert len(losses) == EPOCHS * STEPS
    assert (np.diff(losses) < 0).all()
