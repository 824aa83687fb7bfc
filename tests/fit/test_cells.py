"""From tables of ideal rates and surfaces to cells, and what a rate loses there."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from psi.fit.cells import cells_of, lost_at
from psi.fit.formula.families import RELATIVE
from tests.fit.planted import tables


def ideal_table(**change):
    row = {
        "task": "t", "domain": "d", "epoch": 2, "epochs": 10, "loss": 0.5, "initial_loss": 1.0,
        "parameters": 500, "lr": 0.3, "log_lr_error": 0.1, "edge": False, "flat": False,
        "sure": True,
    } | change  # fmt: skip
    return pd.DataFrame([row | {"cell": k} for k in range(20)])


def surface_table():
    lrs, scores = [0.1, 0.2, 0.4], [-1.0, -3.0, -2.0]
    rows = [
        {"task": "t", "cell": k, "lr": lr, "score": value}
        for k in range(20)
        for lr, value in zip(lrs, scores, strict=True)
    ]
    return pd.DataFrame(rows)


def test_lost_is_linear_between_candidates_and_grows_outside():
    tried = np.array([[0.0, 1.0, 3.0]] * 6)
    lost = np.array([[2.0, 0.0, 4.0]] * 6)
    at = np.array([0.0, 0.5, 2.0, 3.0, -1.0, 5.0])
    expected = [2.0, 1.0, 2.0, 4.0, 3.0, 6.0]
    np.testing.assert_allclose(lost_at(tried, lost, at, np), expected)
    np.testing.assert_allclose(lost_at(tried, lost, at, jnp), expected)


@pytest.mark.parametrize("change", [{"sure": False}, {"loss": 2.5}])
def test_a_fit_needs_cells_that_mean_something(change):
    with pytest.raises(ValueError, match="got 0 of 20"):
        cells_of(ideal_table(**change), surface_table())


@pytest.mark.parametrize("column", ["loss", "initial_loss", "lr"])
def test_a_column_without_a_number_is_named(column):
    with pytest.raises(ValueError, match=f"column {column} holds no usable number in 20 rows"):
        cells_of(ideal_table(**{column: np.nan}), surface_table())


def test_cells_by_hand():
    kept = cells_of(ideal_table(), surface_table())
    expected = [[0.5], [2.0], [0.5], [0.2]]
    names = ("loss", "epoch", "loss_ratio", "progress")
    np.testing.assert_array_equal(kept.values(names), np.repeat(expected, 20, axis=1))
    np.testing.assert_array_equal(kept.values(("progress",)), [[0.2] * 20])
    np.testing.assert_allclose(kept.weight, 1 / (0.1**2 + 0.3**2))
    np.testing.assert_allclose(kept.tried[0], np.log([0.1, 0.2, 0.4]))
    np.testing.assert_allclose(kept.lost, [[2.0, 0.0, 1.0]] * 20)


def test_scaled_cells_are_over_the_scale():
    ideal = ideal_table(scale=0.4)
    ideal.loc[3, "scale"] = np.nan
    kept = cells_of(ideal, surface_table(), scaled=True)
    assert len(kept.task) == 19
    np.testing.assert_allclose(np.exp(kept.log_rate), 0.75)
    np.testing.assert_allclose(np.exp(kept.tried[0]), [0.25, 0.5, 1.0])


def test_cells_that_are_not_sure_weigh_nothing_as_ideal_rates():
    ideal = ideal_table()
    ideal.loc[:6, "sure"] = False
    weight = cells_of(ideal, surface_table()).weight
    assert (weight[:7] == 0).all()
    assert (weight[7:] > 0).all()


def test_points_for_least_squares_are_those_of_the_cells():
    """Points for least squares are those of the cells, whatever the features."""
    ideal, surface = tables()
    cells = cells_of(ideal, surface)
    for names in (RELATIVE, ("loss", "epoch")):
        np.testing.assert_array_equal(cells.points(names).values, cells.values(names))
