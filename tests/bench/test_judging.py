"""Laws as schedules: regret, gain and budget by hand; every method of a small task trained."""

import numpy as np
import pytest

from psi.bench.cohorts import policies
from psi.bench.judging import gain, judge
from psi.bench.references import Reference
from psi.bench.shipped import table
from tests.bench.cases import KEY, PEAKS, judged, law, small_task


def test_regret_is_the_difference_of_scores():
    """Δ = 1: y = log(L̄ − 0.1 + 0.01); means 0.3 and 0.5."""
    each = judged(law=[0.2, 0.4], other=[0.5, 0.5])
    assert each.regret("law", "other") == pytest.approx(np.log(0.21 / 0.41))
    assert each.regret("law", "other", 0.1) == pytest.approx(np.log(0.3 / 0.5))


def test_a_loss_counts_with_twice_the_chance_loss_at_most():
    each = judged(law=[50.0], other=[0.5])
    assert each.regret("law", "other") == pytest.approx(np.log(2.01 / 0.41))


def test_gain_is_the_mean_over_tasks_with_its_jackknife():
    """Two tasks, the second without spread: the error is half of the first one's."""
    one = judged(law=[0.2, 0.3, 0.4], other=[0.5, 0.5, 0.5])
    two = judged(law=[0.6, 0.6, 0.6], other=[0.5, 0.5, 0.5])
    both = gain([one, two], "law", "other")
    first, second = np.log(0.41 / 0.21), np.log(0.41 / 0.51)
    assert both.mean == pytest.approx((first + second) / 2)
    without = np.log(np.array([0.26, 0.21, 0.16]))  # means 0.35, 0.3, 0.25 less 0.1, plus 0.01
    error = np.sqrt(2 * without.var())
    assert both.high - both.mean == pytest.approx(1.96 * error / 2)
    assert (both.wins, both.tasks) == (1, 2)


def test_a_method_against_itself_gains_nothing():
    same = judged(law=[0.2, 0.7], other=[0.2, 0.7])
    assert gain([same], "law", "other") == (0.0, 0.0, 0.0, 0, 1)


def test_budget_ratio_is_where_the_linear_schedule_s_curve_is_met():
    """Linear ends at 0.8 … 0.3 over half … twice the budget."""
    ratios = [judged(law=[loss]).budget_ratio("law") for loss in (0.5, 0.3, 0.1, 0.9, 0.45)]
    assert ratios == pytest.approx([1.0, 2.0, 2.0, 0.5, np.sqrt(1.5)])


def test_judging_a_task_gives_every_method_and_the_table_its_columns():
    laws = [("one", law("0.2*(1 - progress)")), ("two", law("0.1", scale=1.0))]
    known = Reference(0.0, {**PEAKS, "linear": 0.2})
    each = judge(small_task(), known, laws, PEAKS, policies([law for _, law in laws]), KEY)
    names = {method.name for method in each.methods}
    assert {"one", "two, assuming 0.5 T", "linear, tuned", "cosine, tuned, assuming 2 T"} <= names
    assert "cosine, single rate" in names
    assert all(len(method.losses) == 10 for method in each.methods)
    assert each.regret("one", "linear, tuned") == pytest.approx(0.0, abs=1e-3)
    rows = table(["one", "two"], [(False, each)])
    assert list(rows.law) == ["one", "two"]
    assert rows.regret_linear_tuned[0] == pytest.approx(each.regret("one", "linear, tuned"))


def test_a_task_s_score_is_above_its_reference_s_floor():
    known = Reference(-0.5, PEAKS)
    each = judge(small_task(), known, [], PEAKS, policies([]), KEY)
    assert each.task.facts.floor == -0.5
