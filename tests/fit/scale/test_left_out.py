"""Left out is left out, and what is only known of domains is worth nothing on others."""

import numpy as np
import pytest

from psi.fit.scale.facts import FactSet, design
from psi.fit.scale.left_out import (
    compared,
    domain_folds,
    domain_means,
    left_out,
    linear,
    over_domains,
)
from psi.fit.scale.linear import Candidate, fit_linear
from psi.fit.scale.regret import regret_at
from psi.fit.scale.tuned import tuned_tasks
from tests.fit.scale.planted import WEIGHTS, planted

PLANTED = FactSet("planted", tuple(WEIGHTS))
MADE = planted(0, domains=9, each=12)
TASKS = tuned_tasks(MADE.atlas, "adam", "validation")
FOLD = domain_folds(TASKS.domain)


@pytest.mark.parametrize(("count", "parts"), [(2, 2), (9, 9), (12, 12), (13, 12), (40, 12)])
def test_folds_are_of_whole_domains(count, parts):
    domain = np.repeat([f"d{k}" for k in range(count)], 3).astype(object)
    fold = domain_folds(domain)
    assert len(np.unique(fold)) == parts
    assert all(len(np.unique(fold[domain == name])) == 1 for name in np.unique(domain))


def test_one_domain_cannot_be_left_out():
    with pytest.raises(ValueError, match="at least 2 of them, got 1"):
        domain_folds(np.array(["a", "a"], object))


def test_a_fit_never_sees_the_domain_that_it_is_judged_on():
    seen = []

    def spy(tasks):
        seen.append({*tasks.domain})
        return lambda facts: np.zeros(len(facts))

    regret = left_out(TASKS, spy, "linear", FOLD)
    assert sorted(tuple({*TASKS.domain} - s) for s in seen) == [
        (n,) for n in np.unique(TASKS.domain)
    ]
    np.testing.assert_allclose(regret, regret_at(TASKS.curves["linear"], np.zeros(len(FOLD))))


def test_left_out_the_fit_is_as_good_as_what_was_planted():
    """Within 0.015 nats of the planted exponents with the best factor in hindsight."""
    truth = design(TASKS.facts, PLANTED) @ [*WEIGHTS.values()]
    best = min(
        domain_means(regret_at(TASKS.curves["linear"], truth + c), TASKS.domain).mean()
        for c in np.linspace(-1, 1, 41) + np.median(MADE.log_rate - truth)
    )
    regret = left_out(TASKS, linear(Candidate(PLANTED)), "linear", FOLD)
    assert domain_means(regret, TASKS.domain).mean() < best + 0.015


def test_a_fact_that_only_marks_domains_is_worth_nothing_outside_them():
    """Domains differ by 0.7 nats that no fact knows. Weights' size tells the domain of a task
    and so the fit on the tasks themselves gains by it; on left-out domains it must not."""
    gains, inside = [], []
    for seed in range(4):
        made = planted(seed, domains=9, each=12, domain_spread=0.7)
        mark = np.random.default_rng(seed).permutation(9).repeat(12)
        made.atlas.tasks["weight_rms"] = np.exp(mark - 4.0)
        tasks = tuned_tasks(made.atlas, "adam", "validation")
        marked = FactSet("marked", (*WEIGHTS, "weight_rms"))
        means = []
        for facts in (PLANTED, marked):
            candidate = Candidate(facts, 1e-3)
            out = left_out(tasks, linear(candidate), "linear", domain_folds(tasks.domain))
            own = regret_at(
                tasks.curves["linear"], fit_linear(tasks, candidate).log_rates(tasks.facts)
            )
            means.append((domain_means(out, tasks.domain).mean(), own.mean()))
        gains.append(means[0][0] - means[1][0])
        inside.append(means[0][1] - means[1][1])
    assert np.mean(inside) > 0.002
    assert np.mean(gains) < 0


def test_intervals_over_domains_hold_the_mean():
    """95 % of 2,000 draws of 9 domains: the count's standard deviation is 0.5 %."""
    rng = np.random.default_rng(0)
    drawn = [over_domains(rng.normal(size=9)) for _ in range(2000)]
    assert np.mean([each.low < 0 < each.high for each in drawn]) == pytest.approx(0.95, abs=0.02)


def test_fits_are_compared_on_the_same_domains():
    """Each domain's tasks are hard or easy for both: the difference is surer than each alone."""
    more = Candidate(FactSet("", (*WEIGHTS, "classes")))
    fits = {"planted": linear(Candidate(PLANTED)), "more": linear(more)}
    table = compared(TASKS, fits).set_index("fit")
    assert table.more["planted"] == 0
    assert table.more["more"] == pytest.approx(table.regret["more"] - table.regret["planted"])
    width = table.high - table.low
    assert table.more_high["more"] - table.more_low["more"] < 0.5 * width["more"]
