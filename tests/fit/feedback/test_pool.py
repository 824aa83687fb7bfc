"""Tasks of an atlas, trained again: what is scored, on which rows, and that nothing leaks."""

import numpy as np
import pandas as pd
import pytest

import psi
from psi.atlas.training import Plan
from psi.fit.feedback.domains import VALIDATION
from psi.fit.feedback.family import Family
from psi.fit.feedback.judging import tuned_constants
from psi.fit.feedback.pool import losses, pool_of, prepared, scored
from psi.fit.scale.table import read_atlas
from psi.lab.tasks.carried import CARRIED
from tests.fit.feedback.conftest import ATLAS


def test_every_task_is_cheap_and_of_a_common_shape(pool) -> None:
    shapes = pd.Series([each.shape for each in pool.entries])
    assert all(each.shape.operations(each.task) <= 1.1e7 for each in pool.entries)
    assert (shapes.value_counts() >= 20).all()
    assert all(each.shape.holds(each.task) for each in pool.entries)
    assert len(pool.entries) == len(pool.reference) == len(pool.facts) == len(pool.peak)


def test_validation_domains_are_of_the_atlas_and_no_sealed_ones() -> None:
    domains = set(pd.read_parquet(ATLAS / "tasks.parquet").domain)
    assert domains >= VALIDATION
    sealed = {name for name, row in CARRIED.items() if row.suite == "sealed"}
    assert not VALIDATION & sealed


def test_facts_and_references_are_those_of_the_task(pool) -> None:
    tasks = pd.read_parquet(ATLAS / "tasks.parquet").set_index("task")
    runs = pd.read_parquet(ATLAS / "runs.parquet")
    own = runs[(runs.optimizer == "adam") & runs.schedule.isin(["constant", "linear"])]
    for k in (0, 7, len(pool.entries) - 1):
        number = pool.entries[k].task.number
        assert pool.facts.parameters[k] == tasks.parameters[number]
        best = own[own.task == number].nsmallest(1, "val_loss").iloc[0]
        assert (pool.schedule[k], pool.peak[k]) == (best.schedule, best.rate)


def test_a_part_has_the_columns_of_its_tasks(pool) -> None:
    few = pool.take(np.array([3, 1]))
    assert few.entries == (pool.entries[3], pool.entries[1])
    assert few.reference.tolist() == pool.reference[[3, 1]].tolist()
    assert few.facts.parameters.tolist() == pool.facts.parameters[[3, 1]].tolist()
    mask = np.zeros(len(pool.entries), bool)
    mask[[1, 3]] = True
    assert pool.take(mask).entries == (pool.entries[1], pool.entries[3])


def test_the_first_gradient_is_a_fact_of_the_arrays(pool) -> None:
    entry = pool.entries[0]
    assert prepared(entry).arrays.facts["initial_grad_norm"] == np.float32(entry.grad_norm)


def test_what_no_shape_holds_is_no_pool() -> None:
    with pytest.raises(ValueError, match="no 20 tasks of one shape take at most 10 operations"):
        pool_of(read_atlas(ATLAS), "adam", operations=10.0)


@pytest.mark.slow
def test_the_tuned_lane_comes_to_what_the_atlas_says(pool) -> None:
    some = pool.take(np.flatnonzero(~pool.validation)[:6])
    family = Family(psi.load("adam"))
    plan = Plan("adam", family.policy(), validates=True)
    tuned = tuned_constants(some, family)[:, None]
    # Lanes that differ by a factor of 1,000 from the tuned rate are worse on every task.
    wrong = tuned.copy()
    wrong[..., family.constants.index("level")] -= np.log(1000)
    lanes = np.concatenate([tuned, wrong], axis=1)
    regret = scored(some, losses(some, plan, lanes, np.array([100, 101])))
    regret -= some.reference[:, None]
    assert (regret[:, 1] > regret[:, 0]).all()
    assert abs(regret[:, 0].mean()) < 0.3  # half of the rows, two seeds
