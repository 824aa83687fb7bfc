"""Lines put in order: marks, resumed runs and counts that count something else."""

import numpy as np
import pytest

from psi.advice.choosing import Columns, chosen
from psi.advice.merging import (
    held,
    losses_logged,
    never_beside,
    positions,
    resumed,
    validations_logged,
)  # fmt: skip
from psi.advice.table import Numbers, of_rows

NAN = np.nan


def numbers(*values: float) -> Numbers:
    return Numbers(np.array(values), np.ones(len(values), bool))


def test_what_is_held() -> None:
    assert held(np.array([NAN, 1, NAN, 2, NAN])).tolist() == [1, 1, 1, 2, 2]
    assert np.isnan(held(np.array([NAN, NAN]))).all()


def test_nan_is_a_mark_beside_what_is_never_logged_with_a_loss() -> None:
    loss = numbers(2, NAN, 1, NAN, NAN)
    assert losses_logged(loss, [np.array([NAN, 5, NAN, 5, NAN])]).tolist() == [1, 0, 1, 0, 1]
    assert losses_logged(loss, [np.array([5.0, 5, 5, 5, 5])]).all()
    assert not never_beside(np.full(3, NAN), np.ones(3)).any()


def test_validations() -> None:
    every, alone = np.ones(6, bool), np.array([1, 0, 1, 0, 1, 0], bool)
    assert validations_logged(numbers(1, NAN, NAN, 1, NAN, NAN), every).sum() == 2
    assert validations_logged(numbers(1, 1, 1, 1, NAN, NAN), every).all()
    assert validations_logged(numbers(NAN, 1, NAN, 1, NAN, NAN), alone).tolist() == [
        False, True, False, True, False, True,
    ]  # fmt: skip


def test_resumed_runs() -> None:
    at = np.array([0.0, 1, 2, 3, 2, 3, 4, 1, 2])
    found = resumed(at, np.ones(9, bool), (), "epoch")
    assert found.runs == 2
    assert found.kept(at).tolist() == [1, 0, 0, 0, 0, 0, 0, 1, 1]
    with pytest.raises(ValueError, match="but step falls from 9 to 0, and 29 times more"):
        resumed(np.tile([0.0, 9], 31), np.ones(62, bool), (), "step")


def test_a_count_that_stands_still_once_begins_again() -> None:
    at = np.append(np.arange(20.0), np.arange(19.0, 40))
    found = resumed(at, np.ones(41, bool), (), "epoch")
    assert found.kept(at).tolist() == [True] * 19 + [False] + [True] * 21
    several = np.repeat(np.arange(10.0), 4)  # lines of one epoch
    assert resumed(several, np.ones(40, bool), (), "epoch").runs == 0


def test_a_count_of_something_else() -> None:
    at, logged = np.array([10.0, 1, 20, 2, 30, 3]), np.array([1, 0, 1, 0, 1, 0], bool)
    where = positions(at, np.ones(6, bool), ~logged, logged)
    assert where.tolist() == [10, 10, 20, 20, 30, 30]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"epoch": [0, 0, 1, 1], "batch": [0, 1, 0, 1]}, "epoch"),
        ({"epoch": [0, 0, 1, 1], "global_step": [0, 1, 2, 3]}, "global_step"),
        ({"batch": [0, 1] * 4}, None),
        ({"epoch": [0, 1, 2, 3], "iter": [10, 10, 10, 10]}, "epoch"),
        ({"epoch": [0, 1, 0, 1], "step": [0, 10, 0, 10]}, "step"),
    ],
)
def test_kind_of_count(counts: dict[str, list[int]], expected: str | None) -> None:
    rows = [dict(zip(counts, each, strict=True)) for each in zip(*counts.values(), strict=True)]
    table = of_rows([{**row, "loss": 1.0} for row in rows], range(len(rows)))
    assert chosen(table, Columns()).at == expected
