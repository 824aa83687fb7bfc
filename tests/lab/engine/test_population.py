"""The engine against a plain Python loop of one network in float64, and against itself."""

from dataclasses import replace
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from psi.lab.engine import population as engine
from psi.lab.engine.policy import Policy, law_policy, trajectory
from psi.lab.engine.population import Epochs, population, train
from psi.lab.engine.run import run_keys
from psi.lab.engine.work import Layout, cut, layout
from psi.lab.hyper import Hyper
from psi.lab.optimizers import OPTIMIZERS, optimizer
from psi.lab.tasks.table import make_task
from psi.law.clock import Clock, rates_over
from psi.law.expression import Apply, Constant, Variable
from psi.law.facts import Facts
from psi.law.law import Law, Range
from tests.schedulers.conftest import law_of_facts

EPOCHS = 3
HYPER = Hyper(epochs=EPOCHS)
KEY = jax.random.key(11)


def rates(lanes, epochs=EPOCHS):
    peaks = np.geomspace(0.02, 0.5, lanes)[:, None]
    return (peaks * np.linspace(1, 0.3, epochs)).astype(np.float32)


def each(*several):
    """Column after column of several populations, those that are kept."""
    return zip(*map(jax.tree.leaves, several), strict=True)


OWN = {
    "sgd": optax.sgd,
    "momentum": partial(optax.sgd, momentum=0.9),
    "momentum_ema": lambda learning_rate: optax.chain(
        optax.ema(0.9, debias=False), optax.scale_by_learning_rate(learning_rate)
    ),
    "nesterov": partial(optax.sgd, momentum=0.9, nesterov=True),
    "adagrad": optax.adagrad,
    "adadelta": optax.adadelta,
    "rmsprop": optax.rmsprop,
    "adam": optax.adam,
    "adamw": partial(optax.adamw, weight_decay=0.01),
    "sign": optax.sign_sgd,
}


def by_hand(task, lane, seed, name):
    """One network, one step after the other, in float64, with optax's own optimizer."""
    transform = optax.inject_hyperparams(OWN[name])(learning_rate=0.0)
    key = jax.random.fold_in(KEY, seed)
    params = task.init(jax.random.fold_in(key, 0))
    rows = []
    with jax.enable_x64(True):
        double = lambda tree: jax.tree.map(  # noqa: E731
            lambda a: jnp.asarray(np.asarray(a), jnp.float64 if a.dtype == "float32" else None),
            tree,
        )
        params, splits = double(params), double(task.splits)
        state: Any = transform.init(params)
        step = jax.jit(jax.value_and_grad(task.loss))
        loss = jax.jit(task.loss)
        running = loss(params, splits.train)
        for i, lr in enumerate(lane):
            before = loss(params, splits.train)
            state.hyperparams["learning_rate"] = jnp.asarray(float(lr))
            with jax.enable_x64(False):
                order = jax.random.fold_in(key, 1)
                batches = task.functions.epoch(task.arrays, order, jnp.asarray(i))
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
                    "test_loss": float(loss(params, splits.test)),
                    "grad_norm": np.sqrt(np.mean(squares)),
                }
            )
            running = np.mean(losses)
    return rows


def check_against_hand(task, lanes, name):
    runs = population(task, trajectory, lanes, np.array([3, 7]), KEY, keep=Epochs._fields)
    assert runs.lr.shape == (2, 2, EPOCHS)
    np.testing.assert_array_equal(runs.lr[:, 1], lanes)
    expected = by_hand(task, lanes[1], 7, name)
    for quantity in expected[0]:
        got = getattr(runs, quantity)[1, 1]
        np.testing.assert_allclose(got, [row[quantity] for row in expected], rtol=5e-4)


@pytest.mark.parametrize(
    "name",
    ["wine", *(pytest.param(n, marks=pytest.mark.slow) for n in ("teacher-2", "diabetes"))],
)
def test_against_a_plain_loop_in_float64(name):
    check_against_hand(make_task(name, HYPER), rates(2) * 0.3, "sgd")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(OWN)[1:])
def test_every_optimizer_against_optax_run_by_hand(name):
    hyper = replace(HYPER, optimizer=name)
    scale = 0.02 if name in ("adam", "adamw", "rmsprop", "sign") else 0.2
    check_against_hand(make_task("iris", hyper), rates(2) * scale, name)


def test_the_table_of_optimizers_is_the_one_that_may_be_asked_for():
    assert OPTIMIZERS.names == tuple(OWN)


def test_weight_decay_and_label_smoothing_against_a_step_by_hand():
    hyper = Hyper(1, "momentum", batch=96, weight_decay=0.1, label_smoothing=0.2)
    task = make_task("wine", hyper)
    runs = population(task, trajectory, np.full((1, 1), 0.5, np.float32), np.arange(1), KEY)
    key = jax.random.fold_in(KEY, 0)
    params = task.init(jax.random.fold_in(key, 0))
    x, y, _ = task.splits.train

    def loss(params):
        h = jax.nn.relu(x @ params[0][0].T + params[0][1][None])
        log_p = jax.nn.log_softmax(h @ params[1][0].T + params[1][1][None])
        target = 0.8 * jax.nn.one_hot(y, 3) + 0.2 / 3
        return -(target * log_p).sum(1).mean()

    grads = jax.grad(loss)(params)
    after = jax.tree.map(lambda p, g: p - 0.5 * (g + 0.1 * p), params, grads)
    np.testing.assert_allclose(runs.loss_full[0, 0, 0], loss(params), rtol=1e-5)
    np.testing.assert_allclose(runs.loss_next[0, 0, 0], loss(after), rtol=1e-5)


def test_one_by_one_permuted_and_in_other_company_give_the_same_bits():
    task = make_task("wine", HYPER)
    lanes, seeds = rates(350), np.arange(3)
    whole = population(task, trajectory, lanes, seeds, KEY)  # 1,050 runs
    order = np.random.default_rng(0).permutation(350)
    permuted = population(task, trajectory, lanes[order], seeds[[2, 0, 1]], KEY)
    alone = population(task, trajectory, lanes[17:18], np.array([1]), KEY)
    for a, b, c in each(whole, permuted, alone):
        np.testing.assert_array_equal(a[order][:, [2, 0, 1]], b)
        np.testing.assert_array_equal(a[17:18, 1:2], c)


def test_lanes_of_each_seed_s_own_train_as_they_do_for_all_seeds():
    task = make_task("wine", HYPER)
    lanes, seeds = rates(5), np.arange(3)
    every = population(task, trajectory, lanes, seeds, KEY)
    rolled = np.stack([np.roll(lanes, seed, axis=0) for seed in seeds])
    own = population(task, trajectory, rolled, seeds, KEY, by_seed=True)
    for a, b in each(every, own):
        for seed in seeds:
            np.testing.assert_array_equal(np.roll(a[:, seed], seed, axis=0), b[:, seed])


def test_one_device_or_two_give_the_same_bits(monkeypatch):
    assert jax.local_device_count() == 2
    task = make_task("wine", HYPER)
    two = population(task, trajectory, rates(20), np.arange(2), KEY)
    monkeypatch.setattr(jax, "local_device_count", lambda: 1)
    one = population(task, trajectory, rates(20), np.arange(2), KEY)
    for a, b in each(two, one):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e30, -1e30])
def test_a_poisoned_lane_changes_no_bit_of_its_neighbours(poison):
    """More than 10,000 comparisons of a lane's bits: 4 poisons × 8 columns × 3 × 124 lanes."""
    task = make_task("wine", HYPER)
    lanes = rates(128)
    clean = population(task, trajectory, lanes, np.arange(3), KEY)
    bad = lanes.copy()
    bad[5::32, 1:] = poison  # one in every block
    poisoned = population(task, trajectory, bad, np.arange(3), KEY)
    others = np.arange(128) % 32 != 5
    for a, b in each(clean, poisoned):
        np.testing.assert_array_equal(a[others], b[others])
    assert not np.isfinite(poisoned.val_loss[5::32]).all()


def test_data_that_hold_inf_spoil_their_own_lanes_alone():
    """A policy that answers Inf in the middle of a run: its neighbours' bits stay."""

    def make(lane):
        rate = lambda o: jnp.where((o.epoch == 1) & (lane > 0.4), jnp.inf, lane)  # noqa: E731
        return Policy(lambda _: (), lambda s, o: (s, rate(o)))

    task = make_task("wine", HYPER)
    lanes = np.linspace(0.1, 0.5, 32, dtype=np.float32)
    spoilt = population(task, make, lanes, np.arange(2), KEY)
    clean = population(task, make, np.minimum(lanes, 0.4), np.arange(2), KEY)
    for a, b in each(clean, spoilt):
        np.testing.assert_array_equal(a[lanes <= 0.4], b[lanes <= 0.4])
    assert np.isnan(spoilt.val_loss[lanes > 0.4, :, 1:]).all()


def test_lanes_share_initialisation_and_batches():
    task = make_task("wine", HYPER)
    runs = population(task, trajectory, rates(3), np.arange(2), KEY)
    assert (np.ptp(runs.loss_full[:, :, 0], axis=0) == 0).all()
    assert np.ptp(runs.loss_full[0, :, 0]) > 0
    zero = population(task, trajectory, np.zeros((1, EPOCHS), np.float32), np.arange(2), KEY)
    np.testing.assert_allclose(zero.loss_next, zero.loss_full, rtol=1e-6)
    # Fixed rows, no step taken: the mean minibatch loss of a pass is the training loss.
    np.testing.assert_allclose(zero.loss_running, zero.loss_full, rtol=1e-5)


def test_one_compilation_serves_all_draws_of_a_family():
    program: Any = engine._program("cpu")
    before = program._cache_size()
    for number in (20, 21, 22):
        task = make_task(f"teacher-{number}", Hyper(2, "momentum"))  # as no other test asks for
        population(task, trajectory, rates(5, 2), np.arange(4), KEY)
        population(task, trajectory, rates(33, 2), np.arange(1), KEY)
    assert program._cache_size() == before + 1


def test_columns_that_are_not_kept_are_none_and_the_others_the_same():
    task = make_task("wine", HYPER)
    work = cut(rates(3), np.arange(2), layout())
    (whole,) = train(task, trajectory, work, KEY, [0])
    (lean,) = train(task, trajectory, work, KEY, [0], ("lr", "loss_running"))
    np.testing.assert_array_equal(lean.lr, whole.lr)
    np.testing.assert_allclose(lean.loss_running, whole.loss_running, rtol=1e-5)
    assert lean.val_loss is None
    assert whole.test_loss is None  # no data set has it


def test_a_closed_loop_sees_what_is_recorded():
    task = make_task("wine", HYPER)

    def make(lane):
        return Policy(lambda _: (), lambda s, o: (s, lane * o.loss / o.initial_loss))

    runs = population(task, make, np.array([0.1, 0.2], np.float32), np.arange(2), KEY)
    expected = np.array([0.1, 0.2])[:, None, None] * runs.loss_running / runs.loss_full[..., :1]
    np.testing.assert_allclose(runs.lr, expected, rtol=1e-5)


def test_a_law_as_policy_follows_the_clock():
    left = Apply("sub", (Constant(1.0), Variable("progress")))
    size = Apply("div", (Variable("parameters"), Constant(700.0)))
    model = Apply("mul", (Apply("mul", (size, Variable("loss_ratio"))), left))
    law = Law(
        model, ("loss_ratio", "progress", "parameters"),
        (Range(0.3, 1.0), Range(0, 0.9), Range(1.0, 1e4)), Range(0.05, 1), "sgd", 1.5,
    )  # fmt: skip
    task = make_task("wine", HYPER)
    runs = population(task, lambda _: law_policy(law, EPOCHS), np.zeros(1), np.arange(2), KEY)
    for s in range(2):
        initial, parameters = float(runs.loss_full[0, s, 0]), task.facts.parameters
        clock = Clock(law, EPOCHS, initial, facts=Facts(parameters=parameters))
        loss = np.asarray(runs.loss_running[0, s], np.float64)
        expected = rates_over(clock, loss, np.arange(EPOCHS, dtype=float))
        np.testing.assert_allclose(runs.lr[0, s], expected, rtol=1e-5)


def test_tasks_of_one_program_have_their_own_facts():
    task, law, shape = make_task("wine", HYPER), law_of_facts(), Layout(1, 2)
    policy, program = (lambda _: law_policy(law, EPOCHS)), cast(Any, engine._program("cpu"))
    before = program._cache_size()
    stream = {"stream": True, "classes": 7, "chance_loss": 0.9, "steps": 50, "parameters": 5_000}
    for facts in (task.facts, replace(task.facts, batch=77, **stream)):
        own = task._replace(facts=facts)
        runs = population(own, policy, np.zeros(1), np.arange(2), KEY, shape, keep=("lr",))
        for s in range(2):
            weights = jax.tree.leaves(task.init(run_keys(jax.random.fold_in(KEY, s))[0]))
            squares = sum(float((w**2).sum()) for w in weights)
            known = replace(facts.known(), weight_rms=(squares / facts.parameters) ** 0.5)
            epoch = np.arange(EPOCHS, dtype=float)
            expected = rates_over(Clock(law, EPOCHS, 1.0, facts=known), epoch * 0 + 1, epoch)
            np.testing.assert_allclose(runs.lr[0, s], expected, rtol=1e-5)
    assert program._cache_size() == before + 1


def test_an_unknown_optimizer_is_named():
    with pytest.raises(ValueError, match="lion"):
        optimizer("lion")
