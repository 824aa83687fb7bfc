"""Descriptions: JSON and back, what they count, and what they refuse."""

import pytest

from psi.atlas.description import Description
from psi.lab.hyper import Hyper
from psi.lab.networks.table import network
from tests.atlas.conftest import TASKS


@pytest.mark.parametrize("kind", TASKS)
def test_json_brings_it_back(kind):
    text = TASKS[kind].to_json()
    assert Description.from_json(text) == TASKS[kind]
    assert len(text) < 1000


@pytest.mark.parametrize("kind", ["mlp", "cnn", "transformer"])
def test_parameters_are_those_of_the_lab_s_networks(kind):
    import jax

    task = TASKS[kind]
    hyper = Hyper(network=kind, width=task.width, depth=2 if kind == "cnn" else task.depth)
    window, image = (9, None) if kind == "transformer" else (None, (8, 8))
    inputs = task.classes if window else task.inputs
    made = network(hyper, inputs, task.classes, image if kind == "cnn" else None, window)
    params = jax.eval_shape(made.init, jax.random.key(0))
    assert task.parameters == sum(leaf.size for leaf in jax.tree.leaves(params))


def test_operations_count_forward_and_twice_backward():
    task = Description("teacher", 0, rows=40, inputs=3, network="linear", batch=10, epochs=5)
    assert task.operations == 6 * (3 + 1) * 10 * 4 * 5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": 0}, "rows, or steps_per_epoch"),
        ({"rows": 50, "steps_per_epoch": 3}, "rows, or steps_per_epoch"),
        ({"rows": 20, "batch": 30}, "batch must be <= the 20 rows"),
        ({"rows": 50, "classes": 1}, "classes must be 0"),
        ({"rows": 50, "network": "gpt"}, "unknown network 'gpt'"),
        ({"rows": 50, "noise": -0.1}, "noise must be in"),
        ({"rows": 50, "network": "cnn", "inputs": 36}, "side 4 divides"),
        ({"rows": 50, "width": 0}, "width must be >= 1"),
    ],
)
def test_what_makes_no_task_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Description("teacher", 0, **fields)


@pytest.mark.parametrize("text", ["{}", '{"source":"a","number":0,"colour":1}', "[1]", "nonsense"])
def test_other_json_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        Description.from_json(text)
