"""Regrets over all tasks, over parts of a suite, and of other scores, by hand."""

import numpy as np
import pandas as pd
import pytest

from psi.bench.regrets import profile, regrets, scores_of, shares

TASKS, SEEDS = 8, 4
LOSSES = {"reference": 0.3, "method": 0.1}


def table(streams=()):
    """Runs of two methods without noise; on streams the method is as good as the reference."""
    rows = [
        {"task": task, "method": method, "seed": seed, "name": f"t{task}", "domain": f"d{task}",
         "floor": 0.0, "chance_loss": 1.0, "stream": task in streams,
         "val_loss": 0.3 if task in streams else loss, "train_loss": loss / 2,
         "test_loss": 2 * loss}
        for task in range(TASKS) for method, loss in LOSSES.items() for seed in range(SEEDS)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def of(ends):
    scores = scores_of(ends)
    at = scores.column("method")
    return {k: float(v[at]) for k, v in regrets(scores, ends, "reference").items()}


def test_parts_of_the_suite_and_other_scores_are_those_by_hand():
    found = of(table(streams=(0, 1)))
    clear = np.log(0.11 / 0.31)
    assert found["regret"] == pytest.approx(clear * 6 / 8)
    assert found["regret_fixed"] == pytest.approx(clear)
    assert found["regret_streams"] == pytest.approx(0)
    assert found["regret_train"] == pytest.approx(np.log(0.06 / 0.16))
    assert found["regret_test"] == pytest.approx(np.log(0.21 / 0.61))
    assert found["regret_0001"] == pytest.approx(np.log(0.101 / 0.301) * 6 / 8)
    assert found["regret_01"] == pytest.approx(np.log(0.2 / 0.4) * 6 / 8)
    assert found["regret_0001_low"] < found["regret_0001"] < found["regret_0001_high"]
    assert np.isnan(found["regret_streams_low"])  # two domains are too few


def test_a_part_that_is_empty_or_not_known_is_nan():
    assert np.isnan(of(table())["regret_streams"])
    unknown = of(table().assign(stream=np.nan))
    assert np.isnan([unknown["regret_fixed"], unknown["regret_train"]]).all()
    assert unknown["regret"] == pytest.approx(np.log(0.11 / 0.31))


def test_shares_and_profiles_of_few_domains_have_no_interval():
    few = table()
    few = few[few.task < 3]
    scores = scores_of(few)
    assert np.isnan(shares(scores, "reference")["better"]).all()
    curve = profile(scores, "method", "reference")
    assert curve.share[curve.tau > -1].eq(1).all()
    assert curve[["low", "high"]].isna().all(axis=None)
    whole = profile(scores_of(table()), "method", "reference")
    assert (whole.low < whole.share).all()


@pytest.mark.parametrize("lacking", [("reference", "method"), ("reference",)])
def test_a_folder_where_test_losses_are_missing_has_no_regret_of_them(lacking):
    ends = table()
    ends.loc[ends.method.isin(lacking), "test_loss"] = np.nan
    found = of(ends)
    assert np.isnan([found["regret_test"], found["regret_test_low"]]).all()
    assert found["regret"] == pytest.approx(np.log(0.11 / 0.31))
