"""The engine against a plain Python loop of one network in float64, and against itself."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from psi.lab import engine
from psi.lab.engine import population
from psi.lab.optimizers import optimizer
from psi.lab.policy import Policy, law_policy, trajectory
from psi.lab.tasks import make_task
from psi.law.clock import Clock, rates_over
from psi.law.expression import Apply, Constant, Variable
from psi.law.law import Law, Range

EPOCHS = 3
KEY = jax.random.key(11)


def rates(lanes, epochs=EPOCHS):
    peaks = np.geomspace(0.02, 0.5, lanes)[:, None]
    return (peaks * np.linspace(1, 0.3, epochs)).astype(np.float32)


def by_hand(task, lane, seed, name):
    """One network, one step after the other, in float64, with optax's own optimizer."""
    own = {
        "sgd": optax.sgd,
        "momentum": partial(optax.sgd, momentum=0.9),
        "adam": optax.adam,
    }[name]
    transform = optax.inject_hyperparams(own)(learning_rate=0.0)
    key = jax.random.fold_in(KEY, seed)
    params = task.functions.init(jax.random.fold_in(key, 0))
    source = task.source
    rows = []
    with jax.enable_x64(True):
        double = lambda tree: jax.tree.map(  # noqa: E731
            lambda a: jnp.asarray(np.asarray(a), jnp.float64 if a.dtype == "float32" else None),
            tree,
        )
        params, splits = double(params), double(task.splits)
        state: Any = transform.init(params)
        step = jax.jit(jax.value_and_grad(task.functions.loss))
        loss = jax.jit(task.functions.loss)
        running = loss(params, splits.train)
        for i, lr in enumerate(lane):
            before = loss(params, splits.train)
            state.hyperparams["learning_rate"] = jnp.asarray(float(lr))
            with jax.enable_x64(False):
                batches = task.functions.epoch(
                    source, jax.random.fold_in(jax.random.fold_in(key, 1), i)
                )
            losses, squares = [], []
            for k in range(task.facts.steps):
                batch = double(jax.tree.map(lambda a, k=k: np.asarray(a)[k], batches))
                value, grads = step(params, batch)
                updates, state = transform.update(grads, state, params)
                params = optax.apply_updates(params, updates)
                losses.append(float(value))
                squares.append(float(optax.tree_utils.tree_norm(grads, squared=True)))
            rows.append(
                {
                    "loss_running": float(running),
                    "loss_full": float(before),
                    "loss_next": float(loss(params, splits.train)),
                    "val_loss": float(loss(params, splits.validation)),
                    "grad_norm": np.sqrt(np.mean(squares)),
                }
            )
            running = np.mean(losses)
    return rows


@pytest.mark.parametrize(
    ("task_name", "name"),
    [("wine", "sgd"), ("wine", "momentum"), ("wine", "adam"), ("teacher-2", "sgd")],
)
def test_against_a_plain_loop_in_float64(task_name, name):
    task = make_task(task_name, EPOCHS, name)
    lanes = rates(2) * (0.1 if name == "adam" else 0.3)
    seeds = np.array([3, 7])
    runs = population(task, trajectory, lanes, seeds, KEY)
    assert runs.lr.shape == (2, 2, EPOCHS)
    np.testing.assert_array_equal(runs.lr[:, 1], lanes)
    expected = by_hand(task, lanes[1], 7, name)
    for quantity in expected[0]:
        got = getattr(runs, quantity)[1, 1]
        np.testing.assert_allclose(got, [row[quantity] for row in expected], rtol=2e-4)


def test_one_by_one_permuted_and_in_other_company_give_the_same_bits():
    task = make_task("wine", EPOCHS)
    lanes = rates(40)
    whole = population(task, trajectory, lanes, np.arange(3), KEY)
    order = np.random.default_rng(0).permutation(40)
    permuted = population(task, trajectory, lanes[order], np.array([2, 0, 1]), KEY)
    alone = population(task, trajectory, lanes[17:18], np.array([1]), KEY)
    for a, b, c in zip(whole, permuted, alone, strict=True):
        np.testing.assert_array_equal(a[order][:, [2, 0, 1]], b)
        np.testing.assert_array_equal(a[17:18, 1:2], c)


def test_one_device_or_two_give_the_same_bits(monkeypatch):
    assert jax.local_device_count() == 2
    task = make_task("wine", EPOCHS)
    two = population(task, trajectory, rates(20), np.arange(2), KEY)
    monkeypatch.setattr(jax, "local_device_count", lambda: 1)
    one = population(task, trajectory, rates(20), np.arange(2), KEY)
    for a, b in zip(two, one, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e30, -1e30])
def test_a_poisoned_lane_changes_no_bit_of_its_neighbours(poison):
    task = make_task("wine", EPOCHS)
    lanes = rates(32)
    clean = population(task, trajectory, lanes, np.arange(2), KEY)
    bad = lanes.copy()
    bad[5, 1:] = poison
    poisoned = population(task, trajectory, bad, np.arange(2), KEY)
    others = np.arange(32) != 5
    for a, b in zip(clean, poisoned, strict=True):
        np.testing.assert_array_equal(a[others], b[others])
    assert not np.isfinite(poisoned.val_loss[5]).all()


def test_lanes_share_initialisation_and_batches():
    task = make_task("wine", EPOCHS)
    runs = population(task, trajectory, rates(3), np.arange(2), KEY)
    assert (np.ptp(runs.loss_full[:, :, 0], axis=0) == 0).all()
    assert np.ptp(runs.loss_full[0, :, 0]) > 0
    zero = population(task, trajectory, np.zeros((1, EPOCHS), np.float32), np.arange(2), KEY)
    np.testing.assert_allclose(zero.loss_next, zero.loss_full, rtol=1e-6)
    # Fixed rows, no step taken: the mean minibatch loss of a pass is the training loss.
    np.testing.assert_allclose(zero.loss_running, zero.loss_full, rtol=1e-5)


def test_one_compilation_serves_all_draws_of_a_family():
    program: Any = engine._program
    before = program._cache_size()
    for number in (20, 21, 22):
        task = make_task(f"teacher-{number}", 6, "momentum")  # as no other test asks for
        population(task, trajectory, rates(5, 6), np.arange(4), KEY)
        population(task, trajectory, rates(33, 6), np.arange(1), KEY)
    assert program._cache_size() == before + 1


def test_a_closed_loop_sees_what_is_recorded():
    task = make_task("wine", EPOCHS)

    def make(lane):
        return Policy(lambda _: (), lambda s, o: (s, lane * o.loss / o.initial_loss))

    runs = population(task, make, np.array([0.1, 0.2], np.float32), np.arange(2), KEY)
    expected = np.array([0.1, 0.2])[:, None, None] * runs.loss_running / runs.loss_full[..., :1]
    np.testing.assert_allclose(runs.lr, expected, rtol=1e-5)


def test_a_law_as_policy_follows_the_clock():
    left = Apply("sub", (Constant(1.0), Variable("progress")))
    model = Apply("mul", (Apply("mul", (Constant(0.4), Variable("loss_ratio"))), left))
    law = Law(
        model, ("loss_ratio", "progress"), (Range(0.3, 1.0), Range(0, 0.9)), Range(0.05, 1),
        "sgd", 1.5,
    )  # fmt: skip
    task = make_task("wine", EPOCHS)
    runs = population(task, lambda _: law_policy(law, EPOCHS), np.zeros(1), np.arange(2), KEY)
    for s in range(2):
        clock = Clock(law, EPOCHS, float(runs.loss_full[0, s, 0]))
        loss = np.asarray(runs.loss_running[0, s], np.float64)
        expected = rates_over(clock, loss, np.arange(EPOCHS, dtype=float))
        np.testing.assert_allclose(runs.lr[0, s], expected, rtol=1e-5)


def test_an_unknown_optimizer_is_named():
    with pytest.raises(ValueError, match="lion"):
        optimizer("lion")
