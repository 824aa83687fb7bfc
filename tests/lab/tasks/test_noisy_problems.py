"""The noisy problems, trained by the engine, against the closed forms of their losses and rates."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.hyper import Hyper
from psi.lab.tasks import closed_forms
from psi.lab.tasks.noisy_problems import BLOCK, random_walk
from psi.lab.tasks.problems import problem_task
from tests.lab.tasks import exact
from tests.lab.tasks.stepping import KEY, best_rate, numbers, runs_of, scan

pytestmark = pytest.mark.slow  # many programs are compiled


def test_the_engine_on_the_noisy_quadratic_follows_the_closed_form():
    """θ_t is Gaussian, so that N · mean/ε ~ χ²_N. 42 tests at 1e-6: false alarm < 5e-5."""
    count, problem, epochs = 4096, numbers("noisy_quadratic"), 20
    ideal = closed_forms.noisy_quadratic_losses(problem, epochs)
    rates = closed_forms.noisy_quadratic_rate(ideal[:-1], problem)
    constant = np.full(epochs, 0.3)
    np.testing.assert_allclose(exact.moment_losses(rates, problem), ideal, rtol=1e-12)
    np.testing.assert_allclose(exact.greedy_rates(problem, epochs), rates, rtol=1e-12)
    floor = closed_forms.steady_loss(0.3, problem)
    np.testing.assert_allclose(exact.moment_losses(np.full(99, 0.3), problem)[-1], floor)

    task = problem_task("noisy_quadratic", Hyper(epochs=epochs))
    lanes = np.stack([rates, constant]).astype(np.float32)
    runs = population(task, trajectory, lanes, np.arange(count), KEY)
    losses = np.concatenate([runs.loss_full[..., :1], runs.loss_next], -1).mean(1, dtype=float)
    expected = np.stack([ideal, exact.moment_losses(constant, problem)])
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], count) / count
    assert high - low < 0.22
    assert (losses > low * expected).all()
    assert (losses < high * expected).all()
    # The loss that a law sees holds the noise as well, ½ σ²/h: within 6 standard errors.
    running = runs.loss_running[..., 1:].mean(1, dtype=float)
    np.testing.assert_allclose(running, expected[:, :-2] + 0.25, rtol=6 * np.sqrt(2 / count))


@pytest.mark.parametrize("excess", [0.02, 0.3, 4.0])
def test_the_best_next_rate_of_the_noisy_quadratic(excess):
    """At the empirical optimum the relative standard error is < 1.3 %; 7.5 % is 5 of them."""
    problem = numbers("noisy_quadratic")
    expected = closed_forms.noisy_quadratic_rate(excess, problem, batch=4)
    theta = np.sqrt(2 * excess / problem.curvature)
    task = problem_task("noisy_quadratic", Hyper(batch=4))
    got = best_rate(task, theta, 1.13 * expected, 40_000)
    np.testing.assert_allclose(got, expected, rtol=0.075)


@pytest.mark.parametrize("excess", [0.05, 2.0])
def test_the_best_next_rate_and_loss_of_least_squares(excess):
    """Relative standard errors < 0.6 % and < 0.8 %; the tolerances are 5 of them and the grid."""
    problem = numbers("least_squares")
    task = problem_task("least_squares", Hyper())
    away = np.array([1.0, -2, 0, 0.5, 3, 0, 1, 1])
    away *= np.sqrt(2 * excess / problem.scale) / np.linalg.norm(away)
    expected = closed_forms.least_squares_rate(excess, problem, 8)
    rates, losses = scan(task, problem.target + away, 1.13 * expected, 10_000)
    np.testing.assert_allclose(rates[losses.argmin()], expected, rtol=0.05)
    foreseen = exact.least_squares_next(excess, rates, problem, 8)
    np.testing.assert_allclose(losses, foreseen, rtol=0.04)


def test_a_drifting_target_wants_a_rate_that_does_not_decay():
    """The engine's loss at seven rates; standard errors < 2.6 %, the tolerance is 5 of them."""
    problem, epochs = numbers("drift"), 40
    ideal = closed_forms.drift_rate(problem)
    rates = ideal * 1.25 ** np.arange(-3.0, 4.0)
    moments = [np.full(7, problem.initial)]
    for _ in range(400):
        moments.append((1 - rates) ** 2 * moments[-1] + rates**2 * problem.variance + problem.walk)
    endless = np.array([exact.drift_loss(float(rate), problem) for rate in rates])
    np.testing.assert_allclose(moments[-1] / 2, endless, rtol=1e-9)
    steady = exact.drift_loss(ideal, problem)
    np.testing.assert_allclose(ideal, steady / (steady + 0.5), rtol=1e-12)
    task = problem_task("drift", Hyper(epochs=epochs))
    lanes = np.repeat(rates[:, None], epochs, 1).astype(np.float32)
    runs = population(task, trajectory, lanes, np.arange(1024), KEY)
    got = runs.loss_next[..., 20:].mean((1, 2), dtype=float)
    np.testing.assert_allclose(got, np.mean(moments[21:41], 0) / 2, rtol=0.13)
    assert got.argmin() == 3
    np.testing.assert_array_equal(runs.loss_full[..., 1:], runs.loss_next[..., :-1])


def test_a_random_walk_takes_one_new_step_at_a_time():
    walk = jax.jit(lambda key: jax.lax.map(partial(random_walk, key), jnp.arange(50)))(KEY)
    drawn = [jax.random.normal(jax.random.fold_in(KEY, b), (BLOCK,)) for b in range(4)]
    steps = np.concatenate(drawn).astype(np.float64)
    np.testing.assert_allclose(walk, np.append(0, steps.cumsum())[:50], rtol=1e-5, atol=1e-5)


def test_the_moments_of_the_reference_instance():
    """Greedy is short-sighted: known ends, and z < 4.5 at each of them (false alarm < 3e-5)."""
    problem, epochs, count = numbers("noisy_quadratic_3d"), 60, 8192
    h = problem.curvature
    greedy = exact.greedy_rates(problem, epochs)
    linear = 0.5 * (1 - np.arange(epochs) / epochs)
    rates = [greedy, np.full(epochs, 0.09775), linear]  # the best constant, a good linear one
    ends = [exact.moment_losses(rate, problem)[-1] for rate in rates]
    np.testing.assert_allclose(ends, [0.1051, 0.0769, 0.0204], rtol=0.002)
    np.testing.assert_allclose(greedy.mean(), 0.039, rtol=0.02)

    task = problem_task("noisy_quadratic_3d", Hyper(epochs=epochs))
    assert task.facts.chance_loss == pytest.approx(6.15)
    got, _ = runs_of(task, rates, count)
    for lane, rate, end in zip(got, rates, ends, strict=True):
        moments = problem.initial
        for alpha in rate:
            moments = (1 - alpha * h) ** 2 * moments + alpha**2 * problem.variance
        deviation = np.sqrt((h**2 * moments**2 / 2).sum() / count)
        np.testing.assert_allclose(h @ moments / 2, end, rtol=1e-12)
        assert abs(lane[:, -1].mean() - end) < 4.5 * deviation
