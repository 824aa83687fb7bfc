"""The distribution: reproducible, within its ranges, and as wide as it says."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from psi.atlas.distribution import (
    BATCHES,
    MANY,
    STEPS,
    describe,
    fits,
    longest,
)
from psi.atlas.padding import FAR, PRACTICE, REACHES, SHAPES, VISITS, shape_of
from psi.atlas.real import sizes, table
from psi.lab.tasks.carried import CARRIED

NEAR = REACHES["near"]
TASKS = [describe(number) for number in range(300)]


def test_sixteen_programs_an_optimizer():
    assert len(SHAPES) == len(set(SHAPES)) == 16
    assert all(shape.share > 0 for shape in FAR)


def test_a_task_does_not_depend_on_the_others():
    assert describe(17) == TASKS[17]
    assert describe(17, seed=1) != TASKS[17]
    assert len({task.to_json() for task in TASKS}) == len(TASKS)


def test_tasks_are_within_the_ranges():
    for task in TASKS:
        shape = shape_of(task)
        assert fits(task, shape, NEAR)
        assert 50 <= task.parameters <= 320_000
        assert STEPS[0] <= task.steps <= STEPS[1]
        assert 5 <= task.epochs <= 100
        assert task.batch in BATCHES
        assert task.steps * task.epochs >= MANY
        assert shape.operations(task) <= shape.waste * task.operations
        assert task.rows * task.epochs <= VISITS
        assert len(task.to_json()) <= 1000


def test_all_that_it_promises_is_there():
    def share(wanted):
        return np.mean([wanted(task) for task in TASKS])

    networks = Counter(task.network for task in TASKS)
    assert set(networks) == {shape.network for shape in SHAPES}
    assert {task.activation for task in TASKS} == {"relu", "tanh", "gelu"}
    assert len({task.initialisation for task in TASKS}) == 5
    assert {task.depth for task in TASKS} == {1, 2, 3, 4}
    assert 0.2 < share(lambda task: task.stream) < 0.6
    assert 0.02 < share(lambda task: task.parameters > 1e5) < 0.1
    assert 0.02 < share(lambda task: not task.classes) < 0.3
    assert share(lambda task: task.classes > 30) > 0.02
    assert share(lambda task: task.normalised) > 0.02
    assert share(lambda task: task.noise == 0) > 0.2


def test_small_networks_are_trained_as_long_as_in_practice():
    within = REACHES["practice"]
    tasks = [describe(number, reach="practice") for number in range(20_000, 20_200)]
    assert {task.network for task in tasks} == {shape.network for shape in PRACTICE}
    residual = [task for task in tasks if task.network == "residual"]
    assert len(residual) > 40
    assert {task.depth for task in residual} == {1, 2, 3}
    assert any(task.depth == 1 and shape_of(task, PRACTICE).depth == 3 for task in residual)
    assert all(fits(task, shape_of(task, PRACTICE), within) for task in tasks)
    assert min(task.parameters for task in tasks) < 20
    assert {task.epochs for task in tasks} >= {3, 4}
    lengths = [task.steps * task.epochs for task in tasks]
    assert max(lengths) <= within.steps == 4000
    assert np.median(lengths) > 2 * np.median([task.steps * task.epochs for task in TASKS])
    assert len({task.source for task in tasks}) > 30


def test_a_training_has_no_more_steps_than_its_reach():
    task = next(task for task in TASKS if task.epochs > 5)
    shape, length = shape_of(task), task.steps * task.epochs
    assert fits(task, shape, NEAR._replace(steps=length))
    assert not fits(task, shape, NEAR._replace(steps=length - 1))


def test_nothing_but_the_train_suite_is_in_it():
    for source in {task.source for task in TASKS} & CARRIED.keys():
        assert CARRIED[source].suite == "train"
    made = {task.source for task in TASKS} - CARRIED.keys()
    assert made == {"mixture", "images", "markov"}


def test_some_tasks_may_take_longer():
    for shape in SHAPES:
        assert longest(shape, 11) == shape.most
        assert longest(shape, 20) == 3 * shape.most
        assert longest(shape, 150) == 8 * shape.most


def test_rows_are_not_visited_without_end():
    task = next(t for t in TASKS if t.network == "linear" and t.rows > 60)
    shape = shape_of(task)._replace(most=1e99, waste=1e99)
    for epochs, fit in ((VISITS // task.rows, True), (VISITS // task.rows + 1, False)):
        assert fits(replace(task, epochs=epochs), shape, NEAR) == fit


@pytest.mark.slow
def test_tables_are_as_large_as_the_list_says():
    for size in sizes():
        assert table(size.name).x.shape == (size.rows, size.inputs), size.name
