"""Problems are what they say they are, and the closed forms say what training on them does."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.engine.training import Progress, evaluate, train_epoch
from psi.lab.hyper import Hyper
from psi.lab.tasks import closed_forms as exact
from psi.lab.tasks.noisy_problems import BLOCK, Drift, NoisyQuadratic, random_walk
from psi.lab.tasks.problems import PROBLEMS, problem_task

pytestmark = pytest.mark.slow  # many programs are compiled

NAMES = (
    "noisy_quadratic", "least_squares", "noisy_quadratic_3d", "drift", "power_law-1",
    "power_law-1.5", "power_law-2", "power_law-3", "power_law-4", "sign_descent",
    "exponential_tail", "spectrum", "lipschitz", "saddle",
)  # fmt: skip
KEY = jax.random.key(5)


def numbers(name, epochs=20):
    return dict(PROBLEMS)[name].numbers(epochs)


def step(functions, arrays, splits, rate, progress, key, i):
    """The excess after epoch i at one rate, and where it leads."""

    def update(grads, state, params, _):
        updates, state = functions.optimizer.update(grads, state, params)
        return -rate * updates, state

    batches = functions.epoch(arrays, key, i)
    progress, _ = train_epoch(functions, arrays, update, progress, batches)
    after = evaluate(functions, arrays, splits, progress.params, key, i + 1)
    return after.full, progress


@partial(jax.jit, static_argnums=(0, 1))
def after_one(functions, count, arrays, splits, rates, theta, key):
    start = Progress(theta, functions.optimizer.init(theta))
    one, i = partial(step, functions, arrays, splits), jnp.asarray(0)
    seeds = jax.random.split(key, count)
    every = lambda key: jax.vmap(lambda rate: one(rate, start, key, i)[0])(rates)  # noqa: E731
    return jax.lax.map(every, seeds)  # vmap would take longer to compile than this to run


def scan(task, theta, guess, count=1):
    """41 rates around a guess, 2.5 % apart, and the mean excess after one step at each."""
    rates = guess * np.geomspace(1 / 1.65, 1.65, 41)
    losses = after_one(
        task.functions, count, task.arrays, task.splits,
        rates.astype(np.float32), np.asarray(theta, np.float32), KEY,
    )  # fmt: skip
    return rates, np.asarray(losses, np.float64).mean(0)


def best_rate(task, theta, guess, count=1):
    rates, losses = scan(task, theta, guess, count)
    return rates[losses.argmin()]


@partial(jax.jit, static_argnums=(0, 1))
def train(functions, count, arrays, splits, rates, key):
    """Losses and parameters before each epoch and after the last, (lanes, seeds, T + 1, …)."""

    def run(lane, key):
        params = functions.init(arrays, jax.random.fold_in(key, 0))
        start = Progress(params, functions.optimizer.init(params))

        def epoch(progress, now):
            i, rate = now
            order = jax.random.fold_in(key, 1)
            loss, after = step(functions, arrays, splits, rate, progress, order, i)
            return after, (loss, after.params)

        _, (losses, path) = jax.lax.scan(epoch, start, (jnp.arange(len(lane)), lane))
        order = jax.random.fold_in(key, 1)
        first = evaluate(functions, arrays, splits, params, order, jnp.asarray(0)).full
        return jnp.append(first, losses), jnp.concatenate([params[None], path])

    seeds = jax.random.split(key, count)
    return jax.vmap(lambda lane: jax.vmap(lambda key: run(lane, key))(seeds))(rates)


def runs_of(task, rates, count=1):
    """The same in numpy."""
    rates = np.atleast_2d(np.asarray(rates, np.float32))
    losses, path = train(task.functions, count, task.arrays, task.splits, rates, KEY)
    return np.asarray(losses, np.float64), np.asarray(path, np.float64)


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_true(name):
    """Of a random initial excess z < 4.5: false alarm < 1e-5 a problem were the seed not fixed."""
    task = problem_task(name, Hyper(epochs=7))
    facts, probe, functions = task.facts, task.splits.train, task.functions

    @jax.jit
    def look(arrays, key):
        params = jax.vmap(partial(functions.init, arrays))(jax.random.split(key, 4000))
        loss, accuracy = (
            jax.vmap(lambda now, of=of: of(arrays, now, probe))(params)
            for of in (functions.loss, functions.accuracy)
        )
        batches = jax.lax.map(partial(functions.epoch, arrays, key), jnp.arange(2))
        return params, batches, loss, accuracy

    params, batches, loss, accuracy = look(task.arrays, KEY)
    x = np.asarray(batches.x)
    assert (task.name, facts.domain) == (name, name.split("-")[0])
    assert (facts.steps, facts.classes, facts.floor, facts.epochs) == (1, 0, 0.0, 7)
    assert facts.batch == (8 if name == "least_squares" else 1)
    assert batches.y.shape == (2, 1, facts.batch)
    assert x.shape == (2, 1, facts.batch, facts.inputs)
    assert probe.x.shape[1:] == (facts.inputs,)
    assert facts.parameters == params[0].size
    assert facts.stream == bool(facts.noise) == bool((x[0] != x[1]).any())
    assert facts.rows == (7 * facts.batch if facts.stream else 1)
    assert loss.dtype == jnp.float32
    assert loss.shape == (4000,)
    np.testing.assert_allclose(accuracy, 1 - loss / facts.chance_loss, atol=1e-6)
    loss = np.asarray(loss, np.float64)
    error = 4.5 * loss.std() / np.sqrt(4000)
    # The saddle's mean over y ~ N(0, s²) is a/4 · (1 − 2s² + 3s⁴): lower than its ridge by 5e-5.
    error += 1e-4 if name == "saddle" else 0
    np.testing.assert_allclose(loss.mean(), facts.chance_loss, rtol=1e-5, atol=error)


@pytest.mark.parametrize("name", ["least_squares", "drift"])
def test_in_double_precision(name):
    with jax.enable_x64(True):
        task = problem_task(name, Hyper())
        params = jax.eval_shape(task.init, jax.random.key(0))
        loss = jax.eval_shape(task.loss, params, task.splits.test)
        batch = jax.eval_shape(task.functions.epoch, task.arrays, jax.random.key(0), 0)
    assert {a.dtype for a in (params, loss, batch.x, batch.y)} == {np.dtype("float64")}


def test_the_engine_on_the_noisy_quadratic_follows_the_closed_form():
    """θ_t is Gaussian, so that N · mean/ε ~ χ²_N. 42 tests at 1e-6: false alarm < 5e-5."""
    count, problem, epochs = 4096, numbers("noisy_quadratic"), 20
    ideal = exact.noisy_quadratic_losses(problem, epochs)
    rates = exact.noisy_quadratic_rate(ideal[:-1], problem)
    constant = np.full(epochs, 0.3)
    np.testing.assert_allclose(exact.moment_losses(rates, problem), ideal, rtol=1e-12)
    np.testing.assert_allclose(exact.greedy_rates(problem, epochs), rates, rtol=1e-12)
    floor = exact.steady_loss(0.3, problem)
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
    expected = exact.noisy_quadratic_rate(excess, problem, batch=4)
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
    expected = exact.least_squares_rate(excess, problem, 8)
    rates, losses = scan(task, problem.target + away, 1.13 * expected, 10_000)
    np.testing.assert_allclose(rates[losses.argmin()], expected, rtol=0.05)
    foreseen = exact.least_squares_next(excess, rates, problem, 8)
    np.testing.assert_allclose(losses, foreseen, rtol=0.04)


def test_a_drifting_target_wants_a_rate_that_does_not_decay():
    """The engine's loss at seven rates; standard errors < 2.6 %, the tolerance is 5 of them."""
    problem, epochs = numbers("drift"), 40
    ideal = exact.drift_rate(problem)
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


def test_the_ideal_rate_of_sign_descent_is_the_distance():
    problem, task = numbers("sign_descent"), problem_task("sign_descent", Hyper(optimizer="sign"))
    for excess in (0.1, 2.0):
        expected = exact.sign_rate(excess, problem)
        np.testing.assert_allclose(expected, np.sqrt(2 * excess / (2 * problem.coefficient)))
        assert best_rate(task, [expected], 1.1 * expected) == pytest.approx(expected, rel=0.013)


def test_an_exponential_tail_falls_evenly_when_the_rate_rises():
    task, t = problem_task("exponential_tail", Hyper()), np.arange(12)
    rates = exact.exponential_tail_rate(np.exp(-0.5 * t), 0.5)
    np.testing.assert_allclose(runs_of(task, rates)[0][0, 0], np.exp(-0.5 * np.arange(13)), 1e-4)


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


def test_chebyshev_rates_are_the_best_for_the_spectrum():
    low, high, epochs = 0.5, 5.0, 8
    rates = exact.chebyshev_rates(low, high, epochs)
    error = exact.chebyshev_error(low, high, epochs)
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


def test_problems_of_one_kind_share_their_functions():
    def functions(name, **hyper):
        return problem_task(name, Hyper(**hyper)).functions

    assert functions("power_law-1") == functions("power_law-4") == functions("sign_descent")
    assert functions("noisy_quadratic") == functions("noisy_quadratic_3d")
    assert functions("noisy_quadratic") != functions("noisy_quadratic", batch=4)
    assert functions("power_law-2", batch=4) == functions("power_law-2")
    assert functions("drift", optimizer="momentum") != functions("drift")


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"unknown problem 'power_law-5'; allowed: noisy_q"):
        problem_task("power_law-5", Hyper())
    with pytest.raises(ValueError, match="network must be None, got 'cnn'"):
        problem_task("drift", Hyper(network="cnn"))
    with pytest.raises(ValueError, match="curvatures must be equal"):
        exact.noisy_quadratic_rate(1.0, numbers("noisy_quadratic_3d"))


def test_the_names_are_those_of_the_table():
    assert tuple(name for name, _ in PROBLEMS) == NAMES


def test_closed_forms_with_other_numbers_than_the_table():
    """Isotropic d = 3 against the recursion, and Kalman's gain by iteration."""
    isotropic = NoisyQuadratic(np.full(3, 0.7), np.full(3, 0.4), np.full(3, 2.0))
    ideal = exact.noisy_quadratic_losses(isotropic, 9, batch=2)
    rates = exact.noisy_quadratic_rate(ideal[:-1], isotropic, batch=2)
    np.testing.assert_allclose(exact.moment_losses(rates, isotropic, batch=2), ideal, rtol=1e-12)
    drift, moment, gain = Drift(0.8, 0.03, 1.0), 1.0, 0.0
    for _ in range(500):
        gain = moment / (moment + 0.8 / 3)
        moment = (1 - gain) * moment + 0.03
    np.testing.assert_allclose(gain, exact.drift_rate(drift, batch=3), rtol=1e-9)
    np.testing.assert_allclose(moment / 2, exact.drift_loss(gain, drift, batch=3), rtol=1e-9)
