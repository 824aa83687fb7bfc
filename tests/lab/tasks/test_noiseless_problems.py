"""The deterministic problems, step by step, against the closed forms of their rates and bounds."""

import numpy as np
import pytest
from scipy import optimize

from psi.lab.hyper import Hyper
from psi.lab.tasks import closed_forms
from psi.lab.tasks.noiseless_problems import chebyshev_spectrum
from psi.lab.tasks.problems import problem_task
from tests.lab.tasks import exact
from tests.lab.tasks.stepping import best_rate, numbers, runs_of

slow = pytest.mark.slow  # many programs are compiled


@slow
@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 4])
def test_the_ideal_rate_of_a_power_law_reaches_the_minimum_and_gives_away_the_exponent(p):
    name = f"power_law-{p}"
    problem, task = numbers(name), problem_task(name, Hyper())
    excess = np.array([0.1, 0.5, 2.0])
    expected = exact.power_law_rate(excess, problem)
    best = [
        best_rate(task, [(e / problem.coefficient) ** (1 / p)], 1.1 * rate)
        for e, rate in zip(excess, expected, strict=True)
    ]
    np.testing.assert_allclose(best, expected, rtol=0.013)
    slope = np.polyfit(np.log(excess), np.log(best), 1)[0]
    np.testing.assert_allclose(slope, (2 - p) / p, atol=0.01)
    first = exact.power_law_rate(task.facts.chance_loss, problem)
    assert runs_of(task, [first])[0][0, 0, 1] < 1e-6 * task.facts.chance_loss


@slow
def test_the_ideal_rate_of_sign_descent_is_the_distance():
    problem, task = numbers("sign_descent"), problem_task("sign_descent", Hyper(optimizer="sign"))
    for excess in (0.1, 2.0):
        expected = exact.sign_rate(excess, problem)
        np.testing.assert_allclose(expected, np.sqrt(2 * excess / (2 * problem.coefficient)))
        assert best_rate(task, [expected], 1.1 * expected) == pytest.approx(expected, rel=0.013)


@slow
def test_an_exponential_tail_falls_evenly_when_the_rate_rises():
    task, t = problem_task("exponential_tail", Hyper()), np.arange(12)
    rates = exact.exponential_tail_rate(np.exp(-0.5 * t), 0.5)
    np.testing.assert_allclose(runs_of(task, rates)[0][0, 0], np.exp(-0.5 * np.arange(13)), 1e-4)


@slow
def test_chebyshev_rates_are_the_best_for_the_spectrum():
    low, high, epochs = 0.5, 5.0, 8
    rates = exact.chebyshev_rates(low, high, epochs)
    error = closed_forms.chebyshev_error(low, high, epochs)
    np.testing.assert_allclose(error, 0.0106, atol=5e-5)
    fine = np.linspace(low, high, 10_001)
    shrunk = np.abs((1 - rates[:, None] * fine).prod(0))
    np.testing.assert_allclose(shrunk.max(), error, rtol=1e-9)
    constant = np.full(epochs, 2 / (low + high))
    np.testing.assert_allclose(np.abs((1 - constant[:, None] * fine).prod(0)).max(), 0.2008, 1e-3)

    task = problem_task("spectrum", Hyper(epochs=epochs))
    losses, path = runs_of(task, [rates, constant])
    np.testing.assert_allclose(losses[0, 0, [0, -1]], [1, error**2], rtol=1e-3)
    ratio = np.abs(path[:, 0, -1] / path[:, 0, 0])
    np.testing.assert_allclose(ratio[0], error, rtol=1e-3)
    np.testing.assert_allclose(ratio[1].max(), 0.2008, rtol=1e-3)

    # No other rates end lower, wherever a search begins.
    curvature, initial = numbers("spectrum", epochs)
    share = curvature * initial**2 / 2
    end = lambda r: np.log(share @ (1 - r[:, None] * curvature).prod(0) ** 2)  # noqa: E731
    rng = np.random.default_rng(0)
    found = [optimize.minimize(end, rng.uniform(0.2, 2, epochs), tol=1e-9).fun for _ in range(5)]
    assert min(found) > 2 * np.log(error) - 1e-6
    assert min(found) < 2 * np.log(error) + 1e-3


@slow
def test_a_linear_schedule_keeps_its_bound_and_beats_every_constant_rate():
    epochs, task = 20, problem_task("lipschitz", Hyper(epochs=20))
    problem = numbers("lipschitz")
    linear = exact.linear_rates(problem, epochs)
    bound = exact.linear_bound(problem, epochs)
    constants = np.geomspace(0.03, 1, 16)[:, None] * np.ones(epochs)
    losses, path = runs_of(task, [linear, *constants], 200)
    steps = np.diff(path[0], axis=1) / linear[None, :, None]
    np.testing.assert_allclose(np.linalg.norm(steps, axis=-1), 2.0, rtol=1e-4)  # all of length G
    assert np.linalg.norm(path[0, :, 0], axis=-1).max() <= 3.0
    ends = losses[..., -1]
    assert ends[0].max() <= bound
    assert 2 * ends[0].mean() < ends[1:].mean(1).min()
    assert ends[1:].mean(1).argmin() not in (0, 15)


def test_the_bound_of_the_linear_schedule_is_reached():
    """max(max_i x_i, ‖x‖ − D(1 + 1/√(N + 1))), G = 1, first of equals (Drori & Teboulle 2016,
    arXiv 1409.2636): N steps touch N of N + 1 coordinates; f* = −D/√(N + 1)."""
    epochs, x, distance = 20, np.zeros(21), 6.0
    corner = np.full(4, distance / 2)
    problem = numbers("lipschitz")._replace(slope=1.0, corner=corner)
    for rate in exact.linear_rates(problem, epochs):
        x[x.argmax()] -= rate
    root = np.sqrt(epochs + 1)
    value = max(x.max(), np.linalg.norm(x) - distance * (1 + 1 / root))
    np.testing.assert_allclose(value + distance / root, exact.linear_bound(problem, epochs))


@slow
@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_momentum_leaves_the_saddle_sooner(rate):
    """At the same rate, in at most half the steps; and at the speed of the closed form."""
    left = {}
    for name, momentum in (("sgd", 0.0), ("momentum", 0.9)):
        task = problem_task("saddle", Hyper(epochs=300, optimizer=name))
        near = task.arrays._replace(
            spread=task.arrays.spread * 1e-3, distance=task.arrays.distance * 0
        )
        lane = np.full(300, rate)
        path = runs_of(task._replace(arrays=near), lane, 32)[1][0, 0, :, 1]
        factor = exact.escape_factor(rate, 1.0, momentum)
        at = np.argmax(np.abs(path) > 1e-3)  # later than the other root, still before the bend
        assert at > 0
        np.testing.assert_allclose(path[at] / path[at - 1], factor, rtol=2e-3)
        losses = runs_of(task, lane, 32)[0][0]
        gone = losses < 0.5 * float(task.arrays.escape) / 4
        assert gone[:, -1].all()
        left[name] = gone.argmax(1)
    assert (left["momentum"] < left["sgd"]).all()
    assert np.median(left["momentum"]) <= np.median(left["sgd"]) / 2


def test_the_spectrum_lies_at_the_extrema_of_its_polynomial():
    """Products over Chebyshev's rates at every λ_k are ± the error, and the loss starts at 1."""
    low, high, epochs = 0.5, 5.0, 6
    curvature, initial = (np.asarray(a) for a in chebyshev_spectrum(low, high, epochs))
    ends = (1 - exact.chebyshev_rates(low, high, epochs)[:, None] * curvature).prod(0)
    error = closed_forms.chebyshev_error(low, high, epochs)
    np.testing.assert_allclose(ends, error * (-1.0) ** np.arange(epochs + 1), rtol=1e-9)
    assert (curvature * initial**2).sum() / 2 == pytest.approx(1.0)
    assert (curvature[0], curvature[-1]) == (low, high)
