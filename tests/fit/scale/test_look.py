"""How the best rates of an atlas spread."""

import numpy as np
import pandas as pd
import pytest

from psi.fit.scale.look import best_rates, spreads
from psi.fit.scale.tuned import MOST_RATES
from tests.fit.scale.planted import RATES, planted

MADE = planted(1, domains=6, each=20, noise=1e-3)


@pytest.mark.parametrize("unknown", [False, True])
def test_the_spread_is_that_of_the_planted_rates(unknown):
    """Also where nobody knows the floors of some, of texts say."""
    tasks = MADE.atlas.tasks.copy()
    if unknown:
        tasks.loc[tasks.domain == "domain 0", "floor"] = np.nan
    atlas = MADE.atlas._replace(tasks=tasks)
    step = np.log(RATES[1] / RATES[0])
    by_target = {each.target: each for each in spreads(atlas)}
    assert set(by_target) == {"validation", "train"}
    for each in by_target.values():
        wanted = np.exp(np.quantile(MADE.log_rate, (0.1, 0.5, 0.9)))
        got = np.log([each.low, each.middle, each.high]) - np.log(wanted)
        assert np.abs(got).max() < 1.5 * step
        assert each.linear > max(each.cosine, each.constant)
        assert each.constant + each.linear + each.cosine == pytest.approx(1)
        assert each.one_rate > 0.2
    best = best_rates(atlas, "validation")
    assert len(best) == 3 * len(tasks)


def test_each_optimizer_has_a_grid_of_its_own():
    """Together these have more rates than a grid may have."""
    runs = [
        MADE.atlas.runs.assign(optimizer=f"number {k}", rate=lambda r, k=k: r.rate * 1.02**k)
        for k in range(13)
    ]
    atlas = MADE.atlas._replace(runs=pd.concat(runs, ignore_index=True))
    assert atlas.runs.rate.nunique() > MOST_RATES
    found = {(each.optimizer, each.target): each for each in spreads(atlas)}
    assert len(found) == 26
    first, last = (found[f"number {k}", "train"] for k in (0, 12))
    assert last.middle == pytest.approx(1.02**12 * first.middle)
    assert len(best_rates(atlas, "validation")) == 13 * 3 * len(atlas.tasks)
