"""Judging laws as schedules: the arithmetic by hand, trainings against the engine's."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from psi.bench import shipped
from psi.bench.entrants import (
    BUDGETS,
    SCORING,
    TOLD,
    Entrant,
    Group,
    budget_name,
    contestants,
    group_losses,
    groups,
    plan,
)
from psi.bench.fitting.table import bench_fit
from psi.bench.judging import Judged, Method, gain, judge
from psi.bench.references import Reference, headroom, reference
from psi.bench.shipped import rows_of, table
from psi.bench.suites import FIXED, HELD_OUT, STREAMS
from psi.ideal.oracle import trajectory_losses
from psi.lab.data.trajectories import PLAIN
from psi.lab.engine import branch
from psi.lab.engine.probe import GRADIENTS
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task
from psi.law.law import Law, Range
from psi.law.parsing import parse

KEY = jax.random.key(9)
PEAKS = {name: 0.05 for name, _ in PLAIN}


def law(formula, scale=None):
    domain = (Range(1e-4, 10.0), Range(0.0, 1.0))
    features = ("loss_ratio", "progress")
    return Law(parse(formula), features, domain, Range(1e-9, 10.0), "sgd", 2.0, scale=scale)


def judged(**losses):
    facts = SimpleNamespace(chance_loss=1.1, floor=0.1, epochs=20, network="mlp")
    ends = zip(map(budget_name, BUDGETS), ([0.8], [0.6], [0.5], [0.4], [0.3]), strict=True)
    methods = tuple(Method(name, np.array(values)) for name, values in [*losses.items(), *ends])
    return Judged(SimpleNamespace(facts=facts, name="t"), methods)  # type: ignore


# Regret, gain, budget


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


# Trainings


@pytest.fixture(scope="module")
def small():
    return make_task("noisy_quadratic", Hyper(epochs=12))


def planned(task, rates):
    """Final losses under given rates, as the oracle's search trains them."""
    return trajectory_losses(task, rates, SCORING, KEY).T


def test_a_law_and_its_schedule_end_alike_whatever_they_are_told(small):
    """0.2 (1 − i/T), told T, T/2 and 2T, is the plain schedule told the same."""
    laws = contestants([law("0.4*(1 - progress)"), law("0.2*(1 - progress)")])
    entrants = [Entrant("law", np.zeros(0), 2, told) for told in TOLD]
    found = group_losses(Group(small, entrants), laws, 12, KEY)
    plans = np.stack([plan("linear", 0.2, 12, told) for told in TOLD])
    np.testing.assert_allclose(found, planned(small, plans), rtol=1e-3)  # a law keeps min_lr


def test_a_law_with_a_scale_is_multiplied_by_each_run_s_own(small):
    """1/h = 0.5; the probe takes its epochs, of one step each."""
    laws = [("law", law("0.6*(1 - 0.5*progress)", scale=3.0))]
    probed = groups(small, PEAKS, laws, PEAKS)[1]
    left = probed.task.facts.epochs
    assert left == 12 - GRADIENTS
    found = group_losses(probed, contestants([laws[0][1]]), 12, KEY)
    rates = 0.3 * (1 - 0.5 * np.arange(left) / left)
    np.testing.assert_allclose(found[:1], planned(probed.task, rates[None]), rtol=1e-2)


def test_plans_end_where_the_engine_s_do(small):
    """All shorter and longer budgets of one program, against trainings of just that length."""
    entered = [
        (entrant.name, losses)
        for group in groups(small, PEAKS, [], PEAKS)
        if group.entrants
        for entrant, losses in zip(
            group.entrants, group_losses(group, contestants([]), 24, KEY), strict=True
        )
    ]
    assert len(entered) == 7 + 3 + 4  # what is told, single rates, budgets but the task's own
    found = dict(entered)
    ends = [(budget_name(times), "linear", round(12 * times)) for times in BUDGETS]
    for name, schedule, epochs in [*ends, ("cosine, tuned", "cosine", 12)]:
        alone = small._replace(facts=replace(small.facts, epochs=epochs))
        expected = planned(alone, plan(schedule, 0.05, epochs, 1.0)[None])[0]
        np.testing.assert_allclose(found[name], expected, rtol=1e-5)


def test_judging_a_task_gives_every_method_and_the_table_its_columns(small):
    laws = [("one", law("0.2*(1 - progress)")), ("two", law("0.1", scale=1.0))]
    known = Reference(0.0, {**PEAKS, "linear": 0.2})
    each = judge(small, known, laws, PEAKS, contestants([law for _, law in laws]), KEY)
    names = {method.name for method in each.methods}
    assert {"one", "two, told 0.5 T", "linear, tuned", "cosine, tuned, told 2 T"} <= names
    assert "cosine, single rate" in names
    assert all(len(method.losses) == 10 for method in each.methods)
    assert each.regret("one", "linear, tuned") == pytest.approx(0.0, abs=1e-3)
    rows = table(["one", "two"], [(False, each)])
    assert list(rows.law) == ["one", "two"]
    assert rows.regret_linear_tuned[0] == pytest.approx(each.regret("one", "linear, tuned"))


def test_one_program_serves_a_task_s_groups(small):
    laws = [("one", law("0.2*(1 - progress)")), ("two", law("0.1", scale=1.0))]
    policy = contestants([law for _, law in laws])
    there = groups(small, PEAKS, laws, PEAKS)
    _, program = branch._programs("cpu")
    group_losses(there[0], policy, 24, KEY)
    before = program._cache_size()  # type: ignore
    for group in there[1:]:
        group_losses(group, policy, 24, KEY)
    assert program._cache_size() == before  # type: ignore


def test_a_task_s_score_is_above_its_reference_s_floor(small):
    known = Reference(-0.5, PEAKS)
    each = judge(small, known, [], PEAKS, contestants([]), KEY)
    assert each.task.facts.floor == -0.5


def test_every_held_out_task_is_judged_by_its_own_reference_under_its_own_key(monkeypatch):
    specs = [spec for spec in HELD_OUT if spec.name == "iris"] * 2 + [STREAMS[0]]
    keys = set()

    def judge(task, known, laws, single, policy, key):
        assert known == reference("sgd", task.name)
        keys.add(tuple(np.asarray(jax.random.key_data(key))))
        return Judged(task, ())

    monkeypatch.setattr(shipped, "judge", judge)
    found = shipped.judged_laws([("one", law("0.1"))], specs)
    assert [fixed for fixed, _ in found] == [True, True, False]
    assert len(keys) == 3


def test_references_are_one_row_a_task(tmp_path):
    file = tmp_path / "references.csv"
    row = "sgd,iris,0.25,0.1,0.2,0.3,1.5,1.0,2.0\n"
    head = "optimizer,task,floor,constant,linear,cosine,headroom,headroom_low,headroom_high\n"
    file.write_text(head + row)
    assert reference("sgd", "iris", file) == (
        0.25,
        {"constant": 0.1, "linear": 0.2, "cosine": 0.3},
    )
    assert headroom(file).headroom.tolist() == [1.5]
    with pytest.raises(ValueError, match="one row of sgd, wine; got 0"):
        reference("sgd", "wine", file)
    file.write_text(head + row + row)
    with pytest.raises(ValueError, match="got 2"):
        reference("sgd", "iris", file)


def test_a_law_that_gains_too_little_is_not_ok():
    names = [f"{schedule}, single rate" for schedule, _ in PLAIN]
    good = judged(law=[0.2, 0.21], **{name: [0.5, 0.51] for name in names})
    even = judged(law=[0.5, 0.51], **{name: [0.5, 0.51] for name in names})
    assert all(row.ok for row in rows_of("law", [(False, good), (True, good)]))
    assert not any(row.ok for row in rows_of("law", [(False, even), (True, even)]))


# The list


def test_half_of_at_least_eight_held_out_tasks_are_streams():
    assert len(HELD_OUT) >= 8
    assert len(STREAMS) >= len(HELD_OUT) / 2
    assert {spec.name for spec in FIXED} == {"digits", "iris", "pydoc"}
    assert {"cnn", "transformer"} <= {spec.hyper.network for spec in HELD_OUT}
    assert len({(spec.name, spec.hyper) for spec in HELD_OUT}) == len(HELD_OUT)


def test_no_training_task_is_held_out():
    from experiments.closed_forms.tasks import TRAINING

    kept_out = {spec.name.split("-")[0] for spec in HELD_OUT}
    assert not kept_out & {spec.name.split("-")[0] for spec in TRAINING}
    assert not {"cnn", "transformer", "gru"} & {spec.hyper.network for spec in TRAINING}


def test_an_unknown_group_is_refused():
    with pytest.raises(ValueError, match="unknown group"):
        bench_fit(("everything",))
