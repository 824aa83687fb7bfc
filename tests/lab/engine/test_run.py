"""A run between two epochs, against steps taken by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.lab.engine.run import begin, observe, one_epoch, run_keys
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

KEY = jax.random.key(2)
EPOCHS = 5


@pytest.fixture(scope="module")
def task():
    return make_task("noisy_quadratic", Hyper(EPOCHS, "momentum", batch=4))


def norm(a):
    return float(np.linalg.norm(np.asarray(a, np.float64)))


def test_the_two_keys_of_a_run_are_its_key_folded_with_0_and_1():
    keys = run_keys(KEY)
    for number, key in enumerate(keys):
        expected = jax.random.key_data(jax.random.fold_in(KEY, number))
        np.testing.assert_array_equal(jax.random.key_data(key), expected)


def test_before_the_first_epoch_a_policy_sees_the_training_loss(task):
    run, losses = begin(task.functions, task.arrays, task.splits, KEY)
    seen = observe(run, jnp.asarray(0), EPOCHS)
    params = task.init(run_keys(KEY)[0])
    np.testing.assert_array_equal(run.progress.params, params)
    assert seen.loss == seen.initial_loss == seen.best_loss == losses.full
    assert float(losses.full) == pytest.approx(float(task.loss(params, task.splits.train)))
    assert (int(seen.epoch), int(seen.budget)) == (0, EPOCHS)
    assert float(seen.parameters) == task.facts.parameters
    assert float(seen.weight_norm) == pytest.approx(norm(params))
    assert seen.grad_norm == seen.update_norm == 0


def test_the_facts_of_the_task_are_seen(task):
    known = task.facts.known()
    assert (known.rows, known.stream, known.classes) == (None, True, 0)
    run, _ = begin(task.functions, task.arrays, task.splits, KEY, known.values())
    run = one_epoch(task.functions, task.arrays, run, jnp.asarray(0.1), jnp.asarray(0))
    seen, params = observe(run, jnp.asarray(1), EPOCHS), task.init(run_keys(KEY)[0])
    wanted = {"batch": 4, "steps": 1, "rows": 1, "stream": 1, "classes": 1}
    wanted |= {"parameters": params.size, "chance_loss": task.facts.chance_loss}
    wanted |= {"weight_rms": norm(params) / params.size**0.5}  # of the initial weights
    assert {name: float(getattr(seen, name)) for name in wanted} == pytest.approx(wanted)


def test_an_epoch_against_one_step_of_heavy_ball_by_hand(task):
    """One minibatch an epoch: m = 0.9 m + g, θ − α m, twice."""
    run, _ = begin(task.functions, task.arrays, task.splits, KEY)
    theta, velocity = np.asarray(run.progress.params, np.float64), 0.0
    lowest = float(run.initial)
    for i, lr in enumerate((0.3, 0.1)):
        epoch = task.functions.epoch(task.arrays, run.order, jnp.asarray(i))
        batch = jax.tree.map(lambda a: a[0], epoch)
        loss, g = jax.value_and_grad(task.loss)(jnp.asarray(theta, jnp.float32), batch)
        velocity = 0.9 * velocity + np.asarray(g, np.float64)
        theta = theta - lr * velocity
        run = one_epoch(task.functions, task.arrays, run, jnp.asarray(lr), jnp.asarray(i))
        np.testing.assert_allclose(run.progress.params, theta, rtol=1e-5)
        assert float(run.seen.loss) == pytest.approx(float(loss), rel=1e-5)
        assert float(run.seen.grad_norm) == pytest.approx(norm(g), rel=1e-5)
        assert float(run.seen.update_norm) == pytest.approx(lr * norm(velocity), rel=1e-5)
        lowest = min(lowest, float(run.seen.loss))
        assert float(observe(run, jnp.asarray(i + 1), EPOCHS).best_loss) == pytest.approx(lowest)


def test_the_best_loss_forgets_a_loss_that_is_not_a_number(task):
    run, _ = begin(task.functions, task.arrays, task.splits, KEY)

    def loss(arrays, params, batch):
        return jnp.nan * params.sum()

    broken = task.functions._replace(loss=loss)
    after = one_epoch(broken, task.arrays, run, jnp.asarray(0.1), jnp.asarray(0))
    assert np.isnan(after.seen.loss)
    assert after.best == run.best
