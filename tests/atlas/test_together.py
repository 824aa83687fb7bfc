"""Groups of tasks, as an accelerator trains them, against the program that trains one by one."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.atlas import config
from psi.atlas.collect import trained
from psi.atlas.config import AtlasConfig
from psi.atlas.data import arrays_of, order_of, rows_of
from psi.atlas.distribution import describe, fits
from psi.atlas.forms import Formed, formed
from psi.atlas.padding import FAR, REACHES, SHAPES, TOGETHER, shape_of
from psi.atlas.parts import Part
from psi.atlas.together import AT_ONCE, BLOCKS, blocked, group_program
from psi.atlas.training import Plan, plain, program
from psi.lab.engine.policy import Policy
from tests.atlas.conftest import TASKS
from tests.atlas.test_networks import SHAPE

SEEDS = (0, 1)
LANES = Formed(*np.array([[1, 2], [0, 1], [0.25, 0], [0.05, 0.01]], "f4"))


def counting(lane):
    """A policy with a memory: a rate that falls with the epochs it has seen, and with the best."""

    def step(seen_before, seen):
        count = seen_before + 1
        return count, lane.peak * seen.best_loss / seen.initial_loss / count

    return Policy(lambda first: first.best_loss * 0, step)


def group(kind, lengths):
    """What `lengths` of one task's kind train from both seeds; leaves of shape=(task, seed, …)."""
    few = replace(TASKS[kind], rows=min(TASKS[kind].rows, 70))
    tasks = [replace(few, epochs=epochs, batch=batch) for epochs, batch in lengths]
    made = [arrays_of(task, rows_of(task), SHAPE[kind]) for task in tasks]
    arrays = jax.tree.map(lambda *a: np.stack(a), *made)
    orders = np.array([[order_of(task, seed) for seed in SEEDS] for task in tasks])
    keys = jnp.stack([jax.random.split(jax.random.key(k), len(SEEDS)) for k in range(len(tasks))])
    lanes = jax.tree.map(lambda a: np.stack([a] * len(tasks)), LANES)
    return lanes, arrays, orders, keys, np.array([[True, False]] * len(tasks))


@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        ("linear", formed),
        ("linear", counting),
        pytest.param("gru", formed, marks=pytest.mark.slow),
        pytest.param("cnn", counting, marks=pytest.mark.slow),
    ],
)
def test_a_group_comes_to_what_its_tasks_come_to(kind, policy):
    """Shorter tasks wait for the longest; a policy sees the same losses; one seed is probed.

    The longest takes more steps than the host is asked about at once.
    """
    lengths, plan = ((3, 8), (13, 24), (5, 16), (9, 8)), Plan("momentum", policy)
    given = group(kind, lengths)
    assert max(given[1].steps * given[1].epochs) > AT_ONCE > min(given[1].steps * given[1].epochs)
    shape = blocked(SHAPE[kind], [batch for _, batch in lengths])
    assert shape.block == BLOCKS[0] > SHAPE[kind].block
    found = group_program()(shape, plan, *given)
    for k in range(len(lengths)):
        one = jax.tree.map(lambda a, k=k: a[k : k + 1], given)
        due = program("cpu")(SHAPE[kind], plan, 1, *one)
        for name, values in [*found._asdict().items(), *found.probes._asdict().items()]:
            if name != "probes":
                expected = getattr(due if hasattr(due, name) else due.probes, name)
                np.testing.assert_allclose(values[k], expected[0], rtol=2e-3, err_msg=name)


def test_policies_that_want_the_validation_loss_are_refused():
    with pytest.raises(ValueError, match="validation loss"):
        group_program()(SHAPE["linear"], Plan("sgd", plain, True), *group("linear", ((3, 8),)))


@pytest.mark.parametrize(("batch", "block"), [(8, 64), (64, 64), (65, 256), (256, 256)])
def test_a_block_holds_every_minibatch(batch, block):
    assert blocked(SHAPE["mlp"], [3, batch]).block == block


def test_a_minibatch_that_no_block_holds_is_refused():
    with pytest.raises(ValueError, match="batch must be <= 256 on an accelerator, got 257"):
        blocked(SHAPE["mlp"], [3, 257])


@pytest.mark.slow
def test_parts_are_trained_on_an_accelerator_as_on_a_core(monkeypatch):
    """Three tasks in a group of four: the fourth is padding, and no row of the frame."""
    tasks = tuple(replace(TASKS["linear"], number=k, epochs=2 + k) for k in range(3))
    part = Part("part", SHAPE["linear"]._replace(group=4), "sgd", tasks)
    quick = AtlasConfig(3, ("sgd",), extensions=0, more_seeds=0)
    due = trained(part, quick)
    monkeypatch.setattr("psi.atlas.parts.jax.default_backend", lambda: "gpu")
    found = trained(part, quick)
    same = np.isfinite(due.val_loss.to_numpy()) & (due.val_loss.to_numpy() < 10)
    assert same.mean() > 0.5
    for name in ("val_loss", "train_loss"):
        np.testing.assert_allclose(found[name][same], due[name][same], rtol=2e-3)
    keys = ["task", "schedule", "rate", "seed"]
    assert found[keys].equals(due[keys])
    assert found.initial_loss.isna().equals(due.initial_loss.isna())


def test_shapes_of_an_accelerator_hold_those_of_a_laptop():
    for near, far in zip(SHAPES, FAR, strict=False):
        assert far._replace(most=0, lanes=0, group=0) == near._replace(most=0, lanes=0, group=0)
        assert far.most > near.most
    assert len(set(FAR)) == len(FAR) > len(SHAPES)
    assert REACHES.keys() == set(config.REACHES)
    # As many as fit: a perceptron of sixteen units is small, one of two thousand is not.
    groups = {(shape.network, shape.width): shape.group for shape in FAR}
    assert groups["mlp", 16] == TOGETHER
    assert groups["mlp", 2048] == 1
    assert all(group & (group - 1) == 0 for group in groups.values())


def test_far_tasks_are_longer_and_within_their_shapes():
    """Every draw comes to an end, and is made again from its number."""
    tasks = [describe(number, reach="far") for number in range(1000, 1040)]
    assert all(fits(task, shape_of(task, FAR), REACHES["far"]) for task in tasks)
    assert tasks[7] == describe(1007, reach="far") != describe(1007)
    steps = np.median([task.steps * task.epochs for task in tasks])
    near = np.median([each.steps * each.epochs for each in map(describe, range(1000, 1040))])
    assert steps > 1.5 * near
