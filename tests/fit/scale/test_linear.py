"""The power law of least regret: what was planted, and how asymmetric costs move it."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize, root_scalar
from scipy.stats import norm

from psi.fit.scale.facts import SETS, FactSet, design
from psi.fit.scale.linear import Candidate, fit_linear, task_weights
from psi.fit.scale.minimum import Best
from psi.fit.scale.regret import curves, regret_at
from psi.fit.scale.tuned import TunedTasks, tuned_tasks
from tests.fit.scale.planted import WEIGHTS, planted

PLANTED = FactSet("planted", tuple(WEIGHTS))


def valleys(centre, below, above, power, facts=None):
    """Tasks that lose below·|u|^power or above·|u|^power at u = log α − centre; many domains."""
    grid = np.linspace(-8, 8, 321)
    u = grid - centre[:, None]
    regret = np.where(u < 0, below, above) * np.abs(u) ** power
    count = len(centre)
    best = Best(centre, np.zeros(count), np.zeros(count), np.full(count, True))
    facts = pd.DataFrame({"batch": np.full(count, 8.0)}) if facts is None else facts
    domain = np.arange(count).astype(str).astype(object)
    usual = np.ones(len(grid), bool)
    return TunedTasks(facts, domain, {"linear": curves(grid, regret)}, {"linear": best}, usual)


def test_without_noise_the_planted_weights_are_found():
    """Every task's valley is the same and they all can be met: the fit is exact."""
    made = planted(3, spread=0.0, noise=1e-6)
    tasks = tuned_tasks(made.atlas, "adam", "validation")
    fit = fit_linear(tasks, Candidate(PLANTED, 1e-6))
    np.testing.assert_allclose(fit.exponents, [*WEIGHTS.values()], atol=0.04)
    np.testing.assert_allclose(fit.log_rates(tasks.facts), made.log_rate, atol=0.35)


@pytest.mark.parametrize("above", [1.0, 2.0, 6.0])
def test_costs_that_are_asymmetric_move_the_rate_to_their_quantile(above):
    """Regret u⁻ + a u⁺ and best rates m + τ N: the mean regret of x has the slope
    a P(best < x) − P(best > x), so that it is least at the quantile 1/(1 + a) of the best rates
    (the newsvendor's). Its standard error from n tasks is √(q (1 − q)/n) / density."""
    tau, n = 0.8, 4000
    centre = 0.3 + tau * np.random.default_rng(1).normal(size=n)
    fit = fit_linear(valleys(centre, 1.0, above, 1), Candidate(SETS[0]))
    q = 1 / (1 + above)
    expected = 0.3 + tau * norm.ppf(q)
    error = np.sqrt(q * (1 - q) / n) / (norm.pdf(norm.ppf(q)) / tau)
    assert fit.intercept == pytest.approx(expected, abs=3.5 * error + 0.005)


def test_squares_that_are_asymmetric_move_it_to_their_expectile():
    """Regret u² below and 4 u² above: E (best − x)⁺ = 4 E (x − best)⁺ at the least, with
    E (x − N)⁺ = φ(x) + x Φ(x) and E (N − x)⁺ = E (x − N)⁺ − x."""

    def balance(x):
        over = norm.pdf(x) + x * norm.cdf(x)
        return (over - x) - 4 * over

    root = root_scalar(balance, bracket=(-2, 0)).root
    centre = np.random.default_rng(2).normal(size=4000)
    fit = fit_linear(valleys(centre, 1.0, 4.0, 2), Candidate(SETS[0]))
    assert fit.intercept == pytest.approx(root, abs=0.05)
    assert root < -0.4


def test_ridge_pulls_as_much_as_quadratic_costs_say():
    """Regret u² and best rates w z with z standardised: (w − ŵ)² + λ ŵ² is least at w/(1 + λ)."""
    z = np.random.default_rng(3).normal(size=2000)
    facts = pd.DataFrame({"batch": np.exp(z)})
    spread = z.std()
    tasks = valleys(0.7 * z, 1.0, 1.0, 2, facts)
    for penalty in (0.01, 0.5):
        fit = fit_linear(tasks, Candidate(FactSet("", ("batch",)), penalty))
        expected = 0.7 / (1 + penalty)
        assert fit.exponents[0] == pytest.approx(expected, abs=0.01 * spread)


def test_a_fact_that_is_the_same_everywhere_has_no_exponent():
    tasks = valleys(np.random.default_rng(0).normal(size=50), 1.0, 1.0, 2)
    fit = fit_linear(tasks, Candidate(FactSet("", ("batch",))))
    assert fit.exponents.tolist() == [0.0]
    assert np.isfinite(fit.intercept)


def test_what_depends_on_nothing_random_comes_out_the_same():
    tasks = tuned_tasks(planted(1).atlas, "adam", "validation")
    one, other = (fit_linear(tasks, Candidate(SETS[-1])) for _ in range(2))
    assert one.exponents.tolist() == other.exponents.tolist()


def test_best_rates_that_are_wildly_wrong_do_not_mislead_it():
    """A tenth of the labels are 8 nats off; the regrets are right, and they are what is fitted."""
    made = planted(2)
    tasks = tuned_tasks(made.atlas, "adam", "validation")
    wild = tasks.best["linear"].log_rate.copy()
    wild[::10] += 8
    best = {"linear": tasks.best["linear"]._replace(log_rate=wild)}
    fits = [fit_linear(each, Candidate(PLANTED)) for each in (tasks, tasks._replace(best=best))]
    means = [regret_at(tasks.curves["linear"], f.log_rates(tasks.facts)).mean() for f in fits]
    assert means[1] == pytest.approx(means[0], abs=1e-3)


def test_a_domain_of_a_hundred_tasks_does_not_decide_alone():
    weight = task_weights(np.array(["large"] * 100 + ["small"] * 4))
    assert weight[:100].sum() / weight[100:].sum() == pytest.approx(np.sqrt(100 / 4))
    assert weight.sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", range(2))
def test_no_search_from_elsewhere_ends_lower(seed):
    """Noisy valleys with a cliff just above: ten descents from around the fit, on all facts."""
    made = planted(seed, domains=12, each=10, spread=0.8, noise=0.1, domain_spread=0.3)
    tasks, rng = tuned_tasks(made.atlas, "adam", "validation"), np.random.default_rng(seed)
    fit, weight = fit_linear(tasks, Candidate(SETS[-1], 1e-6)), task_weights(tasks.domain)
    x, curve = design(tasks.facts, SETS[-1]), tasks.curves["linear"]

    def lost(w):
        return weight @ regret_at(curve, w[0] + (x - x.mean(0)) @ w[1:])

    ours = np.append(fit.intercept + x.mean(0) @ fit.exponents, fit.exponents)
    ends = [
        minimize(lost, ours + rng.normal(size=ours.size) * 0.3 / np.append(1, x.std(0))).fun
        for _ in range(10)
    ]
    assert lost(ours) < min(ends) + 0.005
