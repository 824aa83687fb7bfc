"""The program of many tasks against a plain loop over one network with optax's optimizers."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from psi.atlas.data import arrays_of, order_of, rows_of
from psi.atlas.losses import Chosen, block_of_rows, losses
from psi.atlas.networks import KINDS
from psi.atlas.training import SCHEDULES, Lane, Plan, minibatch_gradient, plain, program
from psi.lab.data.trajectories import PLAIN
from psi.lab.engine.policy import Policy
from tests.atlas.conftest import TASKS
from tests.atlas.test_networks import SHAPE

OWN = {"sgd": optax.sgd, "momentum": partial(optax.sgd, momentum=0.9), "adam": optax.adam}
PEAKS = {"sgd": 0.2, "momentum": 0.02, "adam": 0.02}


def trained(kind, name, peaks, seed=0, probing=True, plan=None):
    task, shape = TASKS[kind], SHAPE[kind]
    arrays = arrays_of(task, rows_of(task), shape)
    lanes = Lane(jnp.array([[0, 1, 2]]), jnp.asarray(np.array([peaks]), float))
    orders = order_of(task, seed)[None, None]
    keys = jax.random.fold_in(jax.random.key(5), seed)[None, None]
    one = jax.tree.map(lambda a: np.asarray(a)[None], arrays)
    run = program("cpu")
    return run(shape, plan or Plan(name, plain), 1, lanes, one, orders, keys, np.array([[probing]]))


def by_hand(kind, name, schedule, peak, seed=0):
    """(training loss, validation loss) of one network, a step after the other."""
    task, shape, rows = TASKS[kind], SHAPE[kind], rows_of(TASKS[kind])
    arrays = jax.tree.map(jnp.asarray, arrays_of(task, rows, shape))
    start = jax.random.fold_in(jax.random.fold_in(jax.random.key(5), seed), 0)
    params = KINDS[kind].init(shape, arrays.sizes, start)
    transform = optax.inject_hyperparams(OWN[name])(learning_rate=0.0)
    state: Any = transform.init(params)
    order = order_of(task, seed)
    plainly = dict(PLAIN)
    shape_of = lambda i, *_: float(plainly[schedule](np.array(i / task.epochs)))  # noqa: E731
    factor = schedule if callable(schedule) else shape_of
    norm = lambda tree: float(jnp.linalg.norm(ravel_pytree(tree)[0]))  # noqa: E731
    squares = np.zeros((1, 2))

    def mean(params, x, y):
        wide = np.zeros((len(x), shape.inputs), "f4")
        wide[:, : task.inputs] = x
        chosen = Chosen(jnp.asarray(wide), jnp.asarray(y, float), jnp.ones(len(x), bool))
        return losses(shape, arrays, params, chosen).mean()

    for i in range(task.epochs):
        rate = peak * factor(i, *np.sqrt(squares.mean(0)), norm(params))
        squares = np.zeros((task.steps, 2))
        state.hyperparams["learning_rate"] = jnp.asarray(rate)
        for s in range(task.steps):
            at = order[i * task.rows + s * task.batch :][: task.batch]
            gradient = jax.grad(mean)(params, rows.x[at], rows.y[at])
            updates, state = transform.update(gradient, state, params)
            squares[s] = norm(gradient) ** 2, norm(updates) ** 2
            params = optax.apply_updates(params, updates)
    return mean(params, rows.x, rows.y), mean(params, rows.val_x, rows.val_y)


@pytest.mark.parametrize("name", OWN)
def test_a_lane_is_the_training_that_a_plain_loop_makes(name):
    peak = PEAKS[name]
    ends = trained("linear", name, (peak, peak, 1e9))
    for lane, schedule in enumerate(("constant", "linear")):
        train, validation = by_hand("linear", name, schedule, peak)
        assert float(ends.train[0, 0, lane]) == pytest.approx(float(train), rel=1e-4)
        assert float(ends.validation[0, 0, lane]) == pytest.approx(float(validation), rel=1e-4)
    # What diverges beside them changes nothing, and is no exception.
    assert not np.asarray(ends.validation)[0, 0, 2] < 1e6


def test_a_policy_sees_the_losses_of_the_run():
    """A rate of 0 leaves the loss where it was; a lane that stops once validation got worse."""
    ends = trained("linear", "sgd", (0.2, 0.2, 0.2), plan=Plan("sgd", watching, validates=True))
    train, validation = by_hand("linear", "sgd", "constant", 0.2)
    assert float(ends.train[0, 0, 0]) == pytest.approx(float(train), rel=1e-4)
    start, before = by_hand("linear", "sgd", "constant", 0.0)
    assert float(ends.train[0, 0, 1]) == pytest.approx(float(start), rel=1e-5)
    assert float(ends.validation[0, 0, 2]) == pytest.approx(float(before), rel=1e-5)
    assert float(validation) < float(before)


@pytest.mark.parametrize("name", OWN)
def test_a_policy_sees_the_norms_of_gradients_updates_and_weights(name):
    """Rates that depend on all three are those of a plain loop that measures them."""
    peak = PEAKS[name]
    ends = trained("linear", name, (peak,) * 3, plan=Plan(name, weighing, measures=True))
    train, validation = by_hand("linear", name, weighed, peak)
    assert float(ends.train[0, 0, 0]) == pytest.approx(float(train), rel=1e-4)
    assert float(ends.validation[0, 0, 0]) == pytest.approx(float(validation), rel=1e-4)
    other, _ = by_hand("linear", name, "constant", peak)
    assert float(other) != pytest.approx(float(train), rel=1e-3)


def weighed(i, gradient, update, weight):
    return (1 + gradient) / (1 + 10 * update) * (1 + weight) / 4


def weighing(lane):
    def step(state, seen):
        norms = seen.grad_norm, seen.update_norm, seen.weight_norm
        return state, lane.peak * weighed(seen.epoch, *norms)

    return Policy(lambda _: (), step)


def test_a_policy_sees_one_half_of_the_validation_rows_and_is_scored_on_the_other():
    task, shape = TASKS["linear"], SHAPE["linear"]
    whole = rows_of(task)
    odd = len(whole.val_x) - 1 + len(whole.val_x) % 2
    rows = whole._replace(val_x=whole.val_x[:odd], val_y=whole.val_y[:odd])
    plan = Plan("sgd", following, validates=True)

    def ends(rows, peak):
        arrays = jax.tree.map(lambda a: np.asarray(a)[None], arrays_of(task, rows, shape))
        keys = jax.random.fold_in(jax.random.key(5), 0)[None, None]
        lanes = Lane(jnp.array([[0]]), jnp.full((1, 1), peak))
        orders, probing = order_of(task, 0)[None, None], np.array([[False]])
        found = program("cpu")(shape, plan, 1, lanes, arrays, orders, keys, probing)
        return float(found.train[0, 0, 0]), float(found.test[0, 0, 0])

    moving, still = ends(rows, 1.0), ends(rows, 0.0)
    for row in (0, odd // 2 - 1, odd // 2, odd - 1):
        x = rows.val_x.copy()
        x[row] = 50.0
        seen = row < odd // 2
        spoilt = rows._replace(val_x=x)
        assert (ends(spoilt, 1.0)[0] == moving[0]) != seen  # another loss seen, another rate
        assert (ends(spoilt, 0.0)[1] == still[1]) == seen  # the same network, scored on the others


def following(lane):
    """α_i = peak · |v_i − 1/4|, so that all that a policy sees of v changes its rates."""
    return Policy(lambda _: (), lambda state, seen: (state, lane.peak * abs(seen.val_loss - 0.25)))


def watching(lane):
    """Lane 0: all is as it should be, or the rate is NaN; lanes 1 and 2: 0 from the start."""
    task = TASKS["linear"]

    def step(state, seen):
        right = (seen.budget == task.epochs) & (seen.parameters == task.parameters)
        right &= (seen.batch == task.batch) & (seen.steps == task.steps) & (seen.stream == 0)
        right &= (seen.best_loss <= seen.loss) & (seen.loss <= seen.initial_loss)
        # The rate is constant and small: each epoch ends with a lower validation loss.
        right &= seen.val_loss < state
        rate = jnp.where(right, lane.peak, jnp.nan)
        return seen.val_loss, jnp.where(lane.schedule == 0, rate, 0.0)

    return Policy(lambda seen: seen.val_loss + 1, step)


@pytest.mark.slow
def test_a_deep_network_with_normalisation_too():
    ends = trained("mlp", "adam", (0.02, 0.02, 0.02))
    for lane, schedule in enumerate(("constant", "linear", "cosine")):
        train, validation = by_hand("mlp", "adam", schedule, 0.02)
        assert float(ends.train[0, 0, lane]) == pytest.approx(float(train), rel=1e-3)
        assert float(ends.validation[0, 0, lane]) == pytest.approx(float(validation), rel=1e-3)


def test_schedules_are_the_lab_s():
    t = np.linspace(0, 0.95, 20)
    for (name, shape), (other, usual) in zip(SCHEDULES, PLAIN, strict=True):
        assert name == other
        np.testing.assert_allclose(shape(jnp.asarray(t)), usual(t), atol=1e-6)


@pytest.mark.parametrize("kind", ["mlp", "embedding"])
def test_a_minibatch_of_several_blocks_has_the_gradient_of_one(kind):
    """Of 16, 32 and both: none, one or more of each, and rows that fill no last one."""
    task, shape = TASKS[kind], SHAPE[kind]
    arrays = jax.tree.map(jnp.asarray, arrays_of(task, rows_of(task), shape))
    order, key = jnp.asarray(order_of(task, 0)), jax.random.key(1)
    params = KINDS[kind].init(shape, arrays.sizes, jax.random.key(2))
    flat, tree = ravel_pytree(params)
    at = jnp.asarray(1), jnp.asarray(2)

    @jax.jit
    def both(batch):
        own, whole = arrays._replace(batch=batch), shape._replace(block=128)
        rows = block_of_rows(whole, own, order, key, (*at, jnp.asarray(0)))
        mean = lambda w: losses(whole, own, tree(w), rows).sum() / batch  # noqa: E731
        found = minibatch_gradient(shape, tree, own, order, key, flat, *at)
        return found, jax.value_and_grad(mean)(flat)

    for batch in (8, 16, 40, 64, 100):
        found, want = both(jnp.asarray(batch))
        for a, b in zip(found, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
