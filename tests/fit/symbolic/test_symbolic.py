"""The symbolic search finds what was planted, and says of each formula what it is worth."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyoperon
import pytest
from pyoperon.sklearn import SymbolicRegressor

from psi.fit.formula.families import RELATIVE, SIZED, family
from psi.fit.formula.held_out import HeldOut
from psi.fit.formula.points import points
from psi.fit.formula.refit import Refitted
from psi.fit.symbolic.config import FULL, RATIONAL, SymbolicConfig, View
from psi.fit.symbolic.front import Judged, choose, scored, table, undominated
from psi.fit.symbolic.limits import refusal
from psi.fit.symbolic.proposals import proposals, read
from psi.fit.symbolic.search import STEPS, search
from psi.law.expression import Variable, evaluate, nodes
from psi.law.parsing import parse
from psi.law.printing import text

QUICK = SymbolicConfig(
    runs=3, population=200, generations=20, length=15, rows=300, resamples=10, folds=4
)
GIVEN = SymbolicConfig(runs=0, resamples=20)


def relative(noise=0.1, effect=0.3, count=600, tasks=12, seed=0):
    """α = 0.3 (ε/ε_0)/(ε/ε_0 + 0.1) · (1 − i/T), rates of each task a common factor apart."""
    rng = np.random.default_rng(seed)
    ratio, progress = np.exp(rng.uniform(-4, 0.3, count)), rng.uniform(0, 0.97, count)
    task = rng.integers(0, tasks, count)
    log_rate = np.log(0.3 * ratio / (ratio + 0.1) * (1 - progress))
    log_rate += effect * rng.normal(size=tasks)[task] + noise * rng.normal(size=count)
    names = np.array([f"t{k}" for k in range(tasks)], object)
    return points(
        ("loss_ratio", "progress"), np.stack([ratio, progress]), np.exp(log_rate), task=names[task]
    )


@pytest.fixture(scope="module")
def found():
    steps = []
    front = search(relative(), QUICK, report=lambda step, _, name: steps.append((step, name)))
    assert steps == list(enumerate(STEPS))
    return front


def test_a_planted_law_of_relative_features_is_chosen(found):
    row = found.chosen
    assert found.unit == "task"
    a, c = (row.constants[k] for k in (0, 1))
    assert text(row.tree) in (
        "c1*(1.0 - progress)*loss_ratio/(loss_ratio + c2)",
        "c1*loss_ratio*(1.0 - progress)/(loss_ratio + c2)",
    )
    assert c.value == pytest.approx(0.1, rel=0.1)
    assert c.low < c.value < c.high
    assert np.log(a.value / 0.3) == pytest.approx(0, abs=4 * 0.3 / np.sqrt(12))


def test_rows_of_a_front_are_ever_longer_and_ever_better(found):
    frame = table(found)
    assert (np.diff(frame.complexity) > 0).all()
    assert (np.diff(frame.held_out) < 0).all()
    assert frame.chosen.sum() == 1
    assert (frame.gap.to_numpy()[:-1] > 0).all()
    assert frame.gap.iloc[-1] == 0
    assert frame.regret.isna().all()
    for row in found.rows:
        assert row.complexity == len(list(nodes(row.formula)))
        assert refusal(row.formula, relative()) == ""
        assert row.error == pytest.approx(error_of(row.formula), rel=1e-6)
        assert all(each.low <= each.high for each in row.constants)


def error_of(formula):
    data = relative()
    with np.errstate(all="ignore"):
        rate = evaluate(formula, data.names, data.values, np)
    return np.sqrt(np.mean((np.log(rate) - data.log_rate) ** 2))


def test_regrets_are_the_callers(found):
    lengths = np.array([float(row.complexity) for row in found.rows])
    frame = table(scored(found, lengths, lengths + 1))
    assert frame.regret.tolist() == frame.complexity.tolist()
    assert (frame.regret_refined - frame.regret == 1).all()


def test_played_formulas_are_chosen_by_their_regret(found):
    """The shortest within 0.02 nats of the least, in whichever version; not by held-out error."""
    count = len(found.rows)
    falling = np.linspace(1.0, 0.0, count)
    assert scored(found, falling, falling).chosen.complexity == found.rows[-1].complexity
    even = np.full(count, 0.3)
    nearly = np.where(np.arange(count) == count - 1, 0.29, 0.3)
    assert scored(found, even, nearly).chosen.complexity == found.rows[0].complexity
    refined = np.where(np.arange(count) == 1, 0.1, 0.3)
    assert scored(found, even, refined).chosen.complexity == found.rows[1].complexity
    worse = np.full(count, 9.0)
    assert scored(found, refined, worse).chosen.complexity == found.rows[1].complexity


def test_the_same_seed_gives_the_same_front_on_one_thread_or_two(found):
    assert QUICK.threads == 2
    again = search(relative(), replace(QUICK, threads=1))
    pd.testing.assert_frame_equal(table(again), table(found), check_exact=True)
    assert again.rows == found.rows


def test_another_seed_proposes_others():
    shapes = [
        {text(form.tree) for form in proposals(relative(), replace(QUICK, seed=seed))}
        for seed in (0, 1)
    ]
    assert shapes[0] != shapes[1]


def test_structures_that_are_given_take_part():
    """Families of the table; AdaLo's (e + c)/(e + 2 c) keeps its one constant."""
    trees = [
        family(name, RELATIVE).tree for name in ("constant", "adalo*linear", "saturating*linear")
    ]
    front = search(relative(), GIVEN, extra=trees)
    assert front.chosen.start.keys() == {"c1", "c2"}
    assert front.chosen.start["c2"] == pytest.approx(0.1, rel=0.1)
    assert front.rows[0].complexity == 1
    tied = [row for row in search(relative(), GIVEN, extra=[trees[1]]).rows if "c" in row.start]
    assert all(text(row.tree).count("c") >= 2 for row in tied)


def test_a_search_without_structures_says_so():
    with pytest.raises(ValueError, match=r"no formula .* columns loss_ratio, progress"):
        search(relative(), GIVEN, extra=[parse("log(loss_ratio)")])


def test_bad_points():
    data = relative()
    with pytest.raises(ValueError, match=r">= 20 points, column loss_ratio has 7"):
        search(data.take(np.arange(7)), GIVEN)
    one = data._replace(weight=np.where(data.task == "t0", 1.0, 0.0))
    tree = family("saturating*linear", RELATIVE).tree
    assert search(one, GIVEN, extra=[tree]).unit == "point"
    weightless = data._replace(weight=np.where(np.arange(600) < 5, 1.0, 0.0))
    with pytest.raises(ValueError, match="column loss_ratio has 5"):
        search(weightless, GIVEN)
    with pytest.raises(ValueError, match="the ideal rate holds no usable number in 600 rows"):
        points(data.names, data.values, np.full(600, np.nan))
    with pytest.raises(ValueError, match="column loss_ratio has fewer than two distinct values"):
        points(data.names, np.stack([np.ones(600), data.values[1]]), np.exp(data.log_rate))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"runs": -1}, "runs must be >= 0, got -1"),
        ({"folds": 1}, "folds must be >= 2, got 1"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"views": ()}, "at least one"),
        ({"views": (View("rate", ("add", "sin")),)}, "got 'rate'"),
        ({"views": (View("root", RATIONAL),)}, "got 'root'"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_bad_configs(change, message):
    with pytest.raises(ValueError, match=message):
        SymbolicConfig(**change)


def test_trees_are_read_as_pyoperon_means_them():
    """Every tree of a front that uses every operation, against pyoperon's own evaluation."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0.5, 3, (60, 2))
    target = np.tanh(x[:, 0]) ** x[:, 1] - np.exp(-x[:, 1]) / np.sqrt(x[:, 0])
    regressor = SymbolicRegressor(
        allowed_symbols=",".join((*FULL, "constant", "variable")),
        objectives=["mse", "length"], population_size=200, pool_size=200, generations=10,
        max_evaluations=10**9, max_length=25, random_state=5, optimizer_iterations=3,
    )  # fmt: skip
    regressor.fit(x, target)
    meant = {key: Variable(name) for key, name in regressor.variables_.items()}
    used = set()
    for model in regressor.pareto_front_:
        form = read(model["tree"].Nodes, meant)
        columns = [*x.T, *(np.full(60, value) for value in form.start.values())]
        with np.errstate(all="ignore"):
            rate = evaluate(form.tree, ("X1", "X2", *form.start), columns, np)
        expected = regressor.evaluate_model(model["tree"], x)
        np.testing.assert_allclose(np.broadcast_to(rate, 60), expected, rtol=2e-4, atol=1e-5)
        used |= {getattr(node, "operation", "") for node in nodes(form.tree)}
    assert {"sub", "div"} <= used or {"sub", "pow"} <= used


def test_reading_knows_the_order_of_arguments():
    """Postfix, the first argument last: (5 − x)/2."""
    node: Any = vars(pyoperon)["Node"]  # of a library without types
    x = node.Variable(1.0)
    x.HashValue = 7
    two, five = node.Constant(2.0), node.Constant(5.0)
    form = read([two, x, five, node.Sub(), node.Div()], {7: Variable("x")})
    names = ("x", *form.start)
    assert evaluate(form.tree, names, [3.0, *form.start.values()], np) == 1.0


def test_points_without_weight_are_not_seen():
    data = relative()
    off = np.arange(600) % 2 == 0
    spoilt = data._replace(
        log_rate=np.where(off, 50.0, data.log_rate), weight=np.where(off, 0.0, 1.0)
    )
    clean = search(spoilt, replace(QUICK, runs=2, population=100, generations=10, rows=150))
    assert clean.chosen.held_out < 0.5


def data_over(low=0.01, high=1.0):
    grid = np.meshgrid(np.geomspace(low, high, 12), np.linspace(0, 0.9, 12))
    return points(("loss_ratio", "progress"), np.stack([g.ravel() for g in grid]), np.ones(144))


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("0.1/loss_ratio", ""),
        ("0.3*loss_ratio^0.5*(1 - progress)", ""),
        ("loss_ratio*exp(-3*progress)", ""),
        ("log(loss_ratio - 0.02)", "not finite in the domain"),
        ("loss_ratio - 0.02", "not positive in the domain"),
        ("2 + 1/(loss_ratio - 0.5)/1000000", "a pole in the domain"),
        ("loss_ratio - 0.005", "negative beyond the domain"),
        ("0.95 - progress", "negative beyond the domain"),
        ("1/(1 - progress)", "not finite beyond the domain"),
        ("exp(0.02/loss_ratio)", "grows without bound"),
        ("loss_ratio^(-3)", "grows without bound"),
        ("0", "not positive in the domain"),
    ],
)
def test_limits(formula, reason):
    found = refusal(parse(formula), data_over())
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_limits_ask_for_no_size_that_was_not_seen():
    """A loss falls below what was seen; the number of parameters is held in it."""
    grid = np.meshgrid(np.geomspace(0.01, 1, 8), np.linspace(0, 0.9, 8), np.geomspace(10, 1e4, 8))
    data = points(SIZED, np.stack([g.ravel() for g in grid]), np.ones(512))
    assert refusal(parse("parameters - 9"), data) == ""
    assert refusal(parse("parameters - 11"), data).startswith("not positive in the domain")


def judged(complexity, squares):
    tree = parse("+".join(["loss"] * ((complexity + 1) // 2)))
    fitted = Refitted(tree, (), np.zeros(0), np.zeros(0), 1.0, "")
    return Judged(fitted, HeldOut(np.array(squares, float), np.ones(4)))


def test_the_simplest_within_two_standard_errors_of_the_difference():
    """Mean squares 1.1, 1.05, 1: the second is worse by 0.05 in each unit, beyond doubt, the
    third row's lead over it noise in a second case."""
    sure = undominated([judged(1, [2.1] * 4), judged(3, [1.05] * 4), judged(5, [1, 1, 1, 1])])
    assert choose(sure) == 2
    noisy = undominated([judged(1, [2.1] * 4), judged(3, [1.3, 0.8, 1.3, 0.8]), judged(5, [1] * 4)])
    assert choose(noisy) == 1
    assert [row.complexity for row in noisy] == [1, 3, 5]


def test_what_is_longer_and_no_better_is_dropped():
    rows = undominated(
        [judged(5, [1.0] * 4), judged(1, [3.0] * 4), judged(7, [1.0] * 4), judged(3, [4.0] * 4),
         judged(9, [np.inf] * 4)]
    )  # fmt: skip
    assert [row.complexity for row in rows] == [1, 5]
