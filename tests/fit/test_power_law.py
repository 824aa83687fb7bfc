"""The power law of best rates: recovered with intervals that cover, or refused with the reason."""

import numpy as np
import pytest

import psi
from psi.fit.power_law import as_law, power_law
from psi.fit.runs import Columns
from psi.fit.sweep import Best, best_rates
from tests.fit.planted import planted_sweep

ND = Columns("lr", "loss", ("N", "D"))
TRUTH = (-0.6, 0.3)


def group(*facts, rate=1.0, error=0.1, edge=""):
    return Best(tuple(map(float, facts)), rate, rate, rate, error, (), 9, 9, 0, edge)


def exact(*sizes, **more):
    return [
        group(*each, rate=3 * each[0] ** -0.5 * np.prod(each[1:]) ** 0.2, **more) for each in sizes
    ]


GRID = [(n, d) for n in (1e6, 4e6, 1e7) for d in (1e8, 1e9)]


def test_an_exact_power_law_is_found_exactly():
    law = power_law(exact(*GRID), ("N", "D"))
    assert [each.value for each in law.exponents] == pytest.approx([-0.5, 0.2])
    assert law.constant == pytest.approx(3)
    assert law(np.array(GRID)) == pytest.approx([each.rate for each in exact(*GRID)])
    assert (law.groups, law.scatter, law.domain[1]) == (6, 0.0, (1e8, 1e9))
    assert str(law) == "3 * N^-0.500 * D^0.200"
    for _, value, low, high in (*law.exponents, law.rate):
        assert low == pytest.approx(value)
        assert high == pytest.approx(value)


def test_a_group_at_an_edge_has_no_say_and_one_known_badly_little():
    wrong = group(1e7, 1e10, rate=50.0, edge="highest lr")
    assert power_law([*exact(*GRID), wrong], ("N", "D")) == power_law(exact(*GRID), ("N", "D"))
    vague = power_law(
        [*exact(*GRID, error=0.02), group(1e7, 1e10, rate=1.0, error=5.0)], ("N", "D")
    )
    assert [each.value for each in vague.exponents] == pytest.approx([-0.5, 0.2], abs=0.01)


def test_the_scatter_beyond_the_errors_of_groups_is_found():
    """τ = 0.2 beside s = 0.1, 200 groups: its estimate has a standard error of 0.013."""
    rng = np.random.default_rng(0)
    n = np.exp(rng.uniform(10, 20, 200))
    rates = n**-0.5 * np.exp(np.hypot(0.2, 0.1) * rng.normal(size=200))
    law = power_law([group(a, rate=b) for a, b in zip(n, rates, strict=True)], ("N",))
    assert law.scatter == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(
    ("name", "sweeps"),
    [
        ("tasks differ", {"scatter": 0.1}),
        ("noisy", {"noise": 0.01}),
        ("a factor of 3", {"rates": 1e-4 * 3.0 ** np.arange(8), "scatter": 0.1}),
        ("six groups", {"sizes": GRID, "scatter": 0.1, "rates": 1e-3 * 2.0 ** np.arange(-5, 9)}),
    ],
    ids=str,
)
def test_kind_intervals_cover_the_planted_exponents(name, sweeps):
    """80 intervals, 2 in each of 40 sweeps; at 95 % fewer than 88 % are found in 1 of 150.

    The two of a sweep are not correlated, its sizes being a grid. Over 150 sweeps of other seeds 93
    to 99 % were covered.
    """
    covered = []
    for seed in range(40):
        runs = planted_sweep(np.random.default_rng([7, seed]), **sweeps)
        law = power_law(best_rates(runs, ND), ("N", "D"), resamples=300)
        covered += [e.low <= true <= e.high for e, true in zip(law.exponents, TRUTH, strict=True)]
    assert np.mean(covered) >= 0.88, name


def test_the_bootstrap_has_a_seed_of_its_own():
    runs = planted_sweep(np.random.default_rng(1), scatter=0.1)
    groups = best_rates(runs, ND)
    first, again, other = (power_law(groups, ("N", "D"), 300, seed) for seed in (0, 0, 1))
    assert first == again
    assert first.exponents != other.exponents
    assert first.constant == other.constant


@pytest.mark.parametrize(
    ("groups", "facts", "words"),
    [
        (exact(*GRID)[:3], ("N", "D"), "a law of N, D needs >= 4 groups .* got 3$"),
        ([], ("N",), "got 0"),
        (
            [*exact((1.0,), (2.0,)), *exact((3.0,), (4.0,), edge="lowest lr")],
            ("N",),
            r"got 2 \(and 2 at an edge of what was tried: widen that\)",
        ),
        (
            exact(*((n, 64.0) for n in (1.0, 2.0, 3.0, 4.0))),
            ("N", "batch"),
            "fact 'batch' is 64 in all groups",
        ),
        (
            exact(*((n, 20 * n) for n in (1.0, 2.0, 3.0, 4.0))),
            ("N", "D"),
            "N, D move together .* leave one of them out",
        ),
    ],
    ids=["few", "none", "edges", "one value", "collinear"],
)
def test_what_no_law_can_be_fitted_to_is_refused(groups, facts, words):
    with pytest.raises(ValueError, match=words):
        power_law(groups, facts)


@pytest.mark.parametrize(("schedule", "half"), [("constant", 1), ("linear", 0.5), ("cosine", 0.5)])
def test_a_law_file_has_the_fitted_rate_as_the_peak_of_its_schedule(schedule, half, tmp_path):
    fitted = power_law([group(n, rate=3 * n**-0.5) for n in (1e4, 1e5, 1e6, 1e7)], ("N",))
    as_law(fitted, ("parameters",), "adam", schedule).save(tmp_path / "law.json")
    law = psi.load(tmp_path / "law.json")
    assert law.features == ("parameters", "progress")[: len(law.features)]
    for progress, share in ((0.0, 1.0), (0.5, half)):
        rate = float(law([1e6, progress][: len(law.features)]))
        assert rate == pytest.approx(share * 3e-3)
    assert law.constants[0].value == pytest.approx(-0.5)
    with pytest.raises(ValueError, match="unknown feature 'tokens'"):
        as_law(fitted, ("tokens",), "adam")
