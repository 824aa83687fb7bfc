"""Searches over whole trainings, against losses known in advance."""

import jax
import numpy as np
import pytest

from psi.fit.formula.families import RELATIVE, Free, family
from psi.fit.search.candidates import Kind, arena, of_curve
from psi.fit.search.evolution import PolishConfig, polish
from psi.fit.search.objective import Course, charged, law_losses, scales_of
from psi.fit.search.surrogate import scattered, task_intervals
from psi.ideal.oracle import trajectory_losses
from psi.lab.engine.probe import GRADIENTS
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task
from psi.law.law import Range
from psi.law.parsing import parse

KEY = jax.random.key(5)
DOMAIN = (Range(1e-4, 100.0), Range(0.0, 0.99))
LINEAR = Kind("linear", parse("a*(1 - progress)"), (Free("a", "rate"),), np.log([0.3]))
POWER = Kind(
    "power",
    parse("a*(1 - progress)^q"),
    (Free("a", "rate"), Free("q", "exponent")),
    np.array([np.log(0.3), 0.5]),
)


def quadratic(epochs=6):
    return make_task("noisy_quadratic", Hyper(epochs=epochs))


# Polish


def test_polish_finds_the_bottom_of_two_bowls_at_once():
    """Σ (x − target)² of kinds with two and three numbers, with noise of 0.01 a generation."""
    targets = (np.array([1.0, -0.5]), np.array([0.3, 0.6, -1.2]))
    asked = []

    def objective(vectors, seeds):
        asked.append((seeds[0], [len(v) for v in vectors]))
        noise = 0.01 * np.random.default_rng(seeds[0]).normal()
        return [((v - t) ** 2).sum(1) + noise for v, t in zip(vectors, targets, strict=True)]

    how = PolishConfig(population=12, generations=60, seeds=3, spread=0.5)
    found = polish(objective, [np.zeros(2), np.zeros(3)], how, KEY)
    for got, target in zip(found, targets, strict=True):
        np.testing.assert_allclose(got, target, atol=0.05)
    assert len({first for first, _ in asked}) == 60  # new seeds every generation
    assert all(sizes == [12, 12] for _, sizes in asked)


def test_a_law_that_diverges_is_worse_than_any():
    def objective(vectors, seeds):
        x = vectors[0][:, 0]
        return [np.where(x > 0.5, np.nan, (x - 0.4) ** 2)]

    found = polish(objective, [np.zeros(1)], PolishConfig(generations=40), KEY)
    assert found[0][0] == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"population": 3}, "population must be >= 4, got 3"),
        ({"generations": 0}, "generations must be >= 1, got 0"),
        ({"spread": 0.0}, "spread must be positive"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        PolishConfig(**change)


def test_more_dimensions_than_the_population_is_for_are_refused():
    with pytest.raises(ValueError, match="1 to 8 dimensions, got 9"):
        polish(lambda *_: [], [np.zeros(9)], PolishConfig(), KEY)


# Outcomes


def test_a_law_ends_where_its_schedule_does():
    """a (1 − i/T) as a law and as a trajectory: the same trainings, seed by seed."""
    task, seeds, rates = quadratic(), np.arange(5), np.array([0.1, 0.3])
    place = arena([LINEAR, POWER], [Course(task, 0.0)], RELATIVE, DOMAIN, False, KEY)
    plans = rates[:, None] * (1 - np.arange(6) / 6)
    expected = trajectory_losses(task, plans, seeds, KEY)
    mixed = [np.log([[0.1]]), np.array([[np.log(0.3), 1.0]])]
    regret = place.regrets([0, 1], mixed, seeds)[0]
    span = task.facts.chance_loss
    np.testing.assert_allclose(np.exp(regret), expected.mean(0) + 0.01 * span, rtol=1e-4)


def test_a_scale_multiplies_and_its_probe_is_paid_for():
    """h = 2 gives α_0 = 1/2: a law of 0.6 with that scale is one of 0.3 over fewer epochs."""
    task, seeds = quadratic(20), np.arange(4)
    short = charged(task)
    assert short.facts.epochs == 20 - GRADIENTS  # one step an epoch
    np.testing.assert_allclose(scales_of(short, seeds, KEY), 0.5, rtol=2e-3)
    place = arena([LINEAR], [Course(task, 0.0)], RELATIVE, DOMAIN, True, KEY)
    scaled = place.regrets([0], [np.log([[0.6]])], seeds)
    pure = place._replace(scaled=False, courses=(Course(short, 0.0),))
    np.testing.assert_allclose(scaled, pure.regrets([0], [np.log([[0.3]])], seeds), rtol=2e-2)


def test_a_population_is_cut_and_put_together_in_order():
    """21 laws in blocks of 12, each as it is alone."""
    task, seeds = quadratic(), np.arange(3)
    vectors = np.log(np.geomspace(0.01, 0.4, 21))[:, None]
    place = arena([LINEAR], [Course(task, 0.0)], RELATIVE, DOMAIN, False, KEY)
    whole = place.regrets([0], [vectors], seeds)[0]
    alone = [place.regrets([0], [v[None]], seeds)[0, 0] for v in vectors[::7]]
    np.testing.assert_allclose(whole[::7], alone, rtol=1e-5)


def test_polishing_trainings_finds_the_best_constant():
    """The best constant rate over 6 steps of a noisy quadratic, from the moment recursion."""
    task = quadratic()
    h, variance, moment = 2.0, 1.0, 4.0

    def end(rate):
        a = moment
        for _ in range(6):
            a = (1 - rate * h) ** 2 * a + rate**2 * variance
        return a

    grid = np.linspace(0.05, 0.5, 500)
    best = grid[np.argmin([end(rate) for rate in grid])]
    constant = Kind("constant", parse("a"), (Free("a", "rate"),), np.log([0.1]))
    place = arena([constant], [Course(task, 0.0)], RELATIVE, DOMAIN, False, KEY)
    how = PolishConfig(population=8, generations=30, seeds=256)
    found = place.polished([0], [constant.start], how)[0]
    assert end(np.exp(found[0])) < 1.02 * end(best)


def test_a_level_far_off_is_put_right_before_a_search():
    """a (1 − i/T) ends best near a = 0.45 = 1/h: from e^±1.5 of that the way is ∓1.5. A kind
    whose first constant is no rate stays."""
    best = np.log(0.45)
    other = Kind("other", parse("0.1 + c"), (Free("c", "exponent"),), np.array([0.05]))
    place = arena([LINEAR, POWER, other], [Course(quadratic(), 0.0)], RELATIVE, DOMAIN, False, KEY)
    begin = [np.array([best - 1.5]), np.array([best + 1.5, 1.0]), other.start]
    one, two, three = place.levelled([0, 1, 2], begin, np.arange(128))
    assert one == pytest.approx([best], abs=0.51)
    assert two == pytest.approx([best, 1.0], abs=0.51)
    assert two[1] == 1.0
    assert three == other.start
    assert place.levelled([2], [other.start], np.arange(8)) == [other.start]


def test_formula_of_a_kind_puts_the_constants_in_place():
    """Positive constants are searched as logarithms, exponents as they are."""
    assert str(POWER.formula(np.array([np.log(2.0), -1.0]))) == str(
        parse("2.0*(1 - progress)^(-1.0)")
    )


def test_a_curve_goes_on_from_its_fit():
    curve_family = family("polynomial", RELATIVE)
    from psi.fit.formula.curves import Curve

    kind = of_curve(Curve(curve_family, np.array([0.1, 0.2]), 0.0, 0.0, 0.0))
    assert kind.name == "polynomial"
    np.testing.assert_array_equal(kind.start, [0.1, 0.2])


# Intervals


def test_intervals_over_tasks_are_those_of_the_mean():
    """Task t wants x = m_t: the best over tasks is the mean of m, known to ± 1.96 s/√n."""
    rng = np.random.default_rng(0)
    wanted = rng.normal(0.2, 0.3, size=(25, 2))
    lanes = scattered(np.array([0.2, 0.2]), 64, 0.3, seed=1)
    regrets = ((lanes[None] - wanted[:, None]) ** 2).sum(-1)
    low, high = task_intervals(regrets, lanes)
    middle, error = wanted.mean(0), 1.96 * wanted.std(0) / 5
    np.testing.assert_allclose((low + high) / 2, middle, atol=0.05)
    np.testing.assert_allclose((high - low) / 2, error, rtol=0.35)


def test_where_a_parabola_opens_downwards_it_is_the_best_that_was_tried():
    lanes = scattered(np.zeros(1), 64, 0.3, seed=1)
    low, high = task_intervals(np.zeros((8, 64)) - lanes[:, 0] ** 2, lanes)
    assert low[0] == high[0] == pytest.approx(lanes[np.abs(lanes).argmax(), 0])


def test_law_losses_are_capped():
    task = quadratic()
    place = arena([LINEAR], [Course(task, 0.0)], RELATIVE, DOMAIN, False, KEY)
    from psi.fit.search.objective import Population

    wild = Population(np.zeros(1, int), np.log([[10.0]]))
    found = law_losses(task, place.policy, wild, np.ones(2), np.arange(2), KEY)
    assert np.isfinite(found).all()
