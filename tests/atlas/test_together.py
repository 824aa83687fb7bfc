"""Groups of tasks, as an accelerator trains them, against the program that trains one by one."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.atlas.data import arrays_of, order_of, rows_of
from psi.atlas.forms import Formed, formed
from psi.atlas.padding import FAR, REACHES
from psi.atlas.together import BLOCKS, blocked, group_program
from psi.atlas.training import Plan, plain, program
from tests.atlas.conftest import TASKS
from tests.atlas.test_networks import SHAPE

SEEDS = (0, 1)
PLAN = Plan("momentum", formed)
LANES = Formed(*np.array([[1, 2], [0, 1], [0.25, 0], [0.05, 0.01]], "f4"))


def group(kind, lengths):
    """What `lengths` of one task's kind train from both seeds; leaves of shape=(task, seed, …)."""
    tasks = [replace(TASKS[kind], epochs=epochs, batch=batch) for epochs, batch in lengths]
    made = [arrays_of(task, rows_of(task), SHAPE[kind]) for task in tasks]
    arrays = jax.tree.map(lambda *a: np.stack(a), *made)
    orders = np.array([[order_of(task, seed) for seed in SEEDS] for task in tasks])
    keys = jnp.stack([jax.random.split(jax.random.key(k), len(SEEDS)) for k in range(len(tasks))])
    lanes = jax.tree.map(lambda a: np.stack([a] * len(tasks)), LANES)
    return lanes, arrays, orders, keys, np.array([[True, False]] * len(tasks))


@pytest.mark.parametrize("kind", ["linear", pytest.param("cnn", marks=pytest.mark.slow)])
def test_a_group_comes_to_what_its_tasks_come_to(kind):
    """Shorter tasks wait for the longest; a policy sees the same losses; one seed is probed."""
    lengths = ((3, 8), (7, 24), (5, 16))
    given = group(kind, lengths)
    shape = blocked(SHAPE[kind], [batch for _, batch in lengths])
    assert shape.block == BLOCKS[0]
    found = group_program()(shape, PLAN, *given)
    for k in range(len(lengths)):
        one = jax.tree.map(lambda a, k=k: a[k : k + 1], given)
        due = program("cpu")(SHAPE[kind], PLAN, 1, *one)
        for name, values in [*found._asdict().items(), *found.probes._asdict().items()]:
            if name != "probes":
                expected = getattr(due if hasattr(due, name) else due.probes, name)
                np.testing.assert_allclose(values[k], expected[0], rtol=2e-3, err_msg=name)


def test_policies_that_want_the_validation_loss_are_refused():
    with pytest.raises(ValueError, match="validation loss"):
        group_program()(SHAPE["linear"], Plan("sgd", plain, True), *group("linear", ((3, 8),)))


def test_shapes_of_an_accelerator_hold_those_of_a_laptop():
    for near, far in zip(REACHES["near"], FAR, strict=False):
        assert far._replace(most=0, lanes=0, group=0) == near._replace(most=0, lanes=0, group=0)
        assert far.most > near.most
    assert len(FAR) > len(REACHES["near"])
