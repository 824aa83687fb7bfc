"""What tuning costs that a law saves."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from psi.fit.scale.table import Atlas
from psi.fit.scale.tuned import tuned_tasks
from psi.fit.scale.tuning import best_of, break_even, regret_by_runs, runs_saved
from tests.fit.scale.planted import planted


@pytest.mark.parametrize("runs", [1, 2, 5, 7])
def test_the_best_of_some_rates_is_that_of_all_draws(runs):
    regret = np.random.default_rng(0).exponential(size=(3, 7))
    every = np.mean([regret[:, list(c)].min(1) for c in combinations(range(7), runs)], axis=0)
    np.testing.assert_allclose(best_of(regret, runs), every)


def test_more_runs_lose_less_and_a_better_law_saves_more():
    atlas = planted(0, domains=6, each=10).atlas
    table = regret_by_runs(tuned_tasks(atlas, "adam", "validation"))
    assert table.runs.tolist() == [*range(1, 18)]
    assert (np.diff(table.regret) < 0).all()
    assert abs(table.regret.iloc[-1]) < 0.1
    assert runs_saved(table, table.regret[3]) == 4
    assert runs_saved(table, table.regret[3] - 1e-9) == 5
    assert runs_saved(table, -9.0) == 17


def test_what_was_tried_on_some_tasks_alone_is_no_run_of_a_tuner():
    """One task's grid was extended by six rates, at which it diverges."""
    atlas = planted(0, domains=6, each=10).atlas
    own = atlas.runs[(atlas.runs.task == 100) & (atlas.runs.rate > 0.1)]
    ratio = np.exp(10.5 / 16)
    more = own.assign(rate=own.rate * ratio ** own.rate.nunique(), val_loss=np.inf)
    longer = Atlas(atlas.tasks, pd.concat([atlas.runs, more]))
    usual, other = (
        regret_by_runs(tuned_tasks(each, "adam", "validation")) for each in (atlas, longer)
    )
    assert other.runs.tolist() == [*range(1, 18)]
    np.testing.assert_allclose(other.regret, usual.regret, atol=0.02)


def test_break_even_is_trainings_over_runs_saved():
    atlas = planted(0, domains=2, each=3).atlas
    runs = pd.concat([atlas.runs, atlas.runs.assign(optimizer="sgd", seeds=50)])
    assert break_even(Atlas(atlas.tasks, runs), "adam", 6) == 6 * 3 * 17 * 3 / 6
