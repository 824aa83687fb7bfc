"""Contestants as lanes of one program, against trainings that the engine makes one by one."""

from dataclasses import replace

import numpy as np
import pytest

from psi.bench.baselines import plain_rates
from psi.bench.cohorts import (
    ASSUMED,
    BUDGETS,
    SCORING,
    Cohort,
    Contestant,
    budget_name,
    cohort_losses,
    cohorts,
    policies,
)
from psi.ideal.oracle import trajectory_losses
from psi.lab.engine import branch
from psi.lab.engine.probe import GRADIENTS, initial_grad_norms
from psi.law.law import Range
from psi.law.parsing import parse
from tests.bench.cases import KEY, PEAKS, law, small_task

ENDS = (Range(0.0, 0.99), Range(1e-6, 1e6))


@pytest.fixture(scope="module")
def small():
    return small_task()


def planned(task, rates):
    """Final losses under given rates, as the oracle's search trains them."""
    return trajectory_losses(task, rates, SCORING, KEY).T


def test_a_law_and_its_schedule_end_alike_whatever_budget_they_assume(small):
    """0.2 (1 − i/T), assuming T, T/2 and 2T, is the plain schedule assuming the same."""
    laws = policies([law("0.4*(1 - progress)"), law("0.2*(1 - progress)")])
    entered = [Contestant("law", np.zeros(0), 2, assumed) for assumed in ASSUMED]
    found = cohort_losses(Cohort(small, entered), laws, 12, KEY)
    plans = np.stack([0.2 * plain_rates("linear", 12, assumed) for assumed in ASSUMED])
    np.testing.assert_allclose(found, planned(small, plans), rtol=1e-3)  # a law keeps min_lr


def test_a_law_with_a_scale_is_multiplied_by_each_run_s_own(small):
    """1/h = 0.5; the probe takes its epochs, of one step each."""
    laws = [("law", law("0.6*(1 - 0.5*progress)", scale=3.0))]
    probed = cohorts(small, PEAKS, laws, PEAKS)[1]
    left = probed.task.facts.epochs
    assert left == 12 - GRADIENTS
    found = cohort_losses(probed, policies([laws[0][1]]), 12, KEY)
    rates = 0.3 * (1 - 0.5 * np.arange(left) / left)
    np.testing.assert_allclose(found[:1], planned(probed.task, rates[None]), rtol=1e-2)


def test_a_law_of_the_first_gradient_is_told_each_run_s_own(small):
    """Its rates are 0.2 ‖g_0‖^0.5 of each run, against a training at those rates alone."""
    model, seen = (
        parse("0.2*(1 - progress)*initial_grad_norm^0.5"),
        ("progress", "initial_grad_norm"),
    )
    made = replace(law("progress"), model=model, features=seen, domain=ENDS)
    laws = [("law", made)]
    (found, *_) = cohorts(small, PEAKS, laws, PEAKS)
    entered = [each for each in found.contestants if each.name == "law"]
    got = cohort_losses(found._replace(contestants=entered), policies([laws[0][1]]), 12, KEY)
    norms = initial_grad_norms(small, SCORING, KEY)
    assert np.ptp(norms) > 0
    rates = 0.2 * norms[:, None] ** 0.5 * plain_rates("linear", 12)
    own = [planned(small, each[None])[0, seed] for seed, each in enumerate(rates)]
    np.testing.assert_allclose(got[0], own, rtol=1e-3)


def test_plans_end_where_the_engine_s_do(small):
    """All shorter and longer budgets of one program, against trainings of just that length."""
    entered = [
        (contestant.name, losses)
        for cohort in cohorts(small, PEAKS, [], PEAKS)
        if cohort.contestants
        for contestant, losses in zip(
            cohort.contestants, cohort_losses(cohort, policies([]), 24, KEY), strict=True
        )
    ]
    assert len(entered) == 7 + 3 + 4  # assumed budgets, single rates, budgets but the task's own
    found = dict(entered)
    ends = [(budget_name(times), "linear", round(12 * times)) for times in BUDGETS]
    for name, schedule, epochs in [*ends, ("cosine, tuned", "cosine", 12)]:
        alone = small._replace(facts=replace(small.facts, epochs=epochs))
        expected = planned(alone, 0.05 * plain_rates(schedule, epochs)[None])[0]
        np.testing.assert_allclose(found[name], expected, rtol=1e-5)


def test_one_program_serves_a_task_s_cohorts(small):
    laws = [("one", law("0.2*(1 - progress)")), ("two", law("0.1", scale=1.0))]
    policy = policies([law for _, law in laws])
    first, *others = cohorts(small, PEAKS, laws, PEAKS)
    _, program = branch._programs("cpu")
    cohort_losses(first, policy, 24, KEY)
    before = program._cache_size()  # type: ignore
    for cohort in others:
        cohort_losses(cohort, policy, 24, KEY)
    assert program._cache_size() == before  # type: ignore
