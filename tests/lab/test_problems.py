"""Problems are what they say they are, and the closed forms say what training on them does."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from psi.lab.config import Hyper
from psi.lab.engine import population
from psi.lab.policy import trajectory
from psi.lab.task import Batch
from psi.lab.tasks import closed_forms as exact
from psi.lab.tasks.noisy_problems import Drift, NoisyQuadratic
from psi.lab.tasks.problems import PROBLEMS, problem_task
from psi.lab.training import Progress, evaluate, train_epoch

NAMES = (
    "noisy_quadratic", "least_squares", "noisy_quadratic_3d", "drift", "power_law-1",
    "power_law-1.5", "power_law-2", "power_law-3", "power_law-4", "sign_descent",
    "exponential_tail", "spectrum", "lipschitz", "saddle",
)  # fmt: skip
KEY = jax.random.key(5)


def keys(count, seed=0):
    return jax.random.split(jax.random.fold_in(KEY, seed), count)


def numbers(name, epochs=20):
    return dict(PROBLEMS)[name].numbers(epochs)


@partial(jax.jit, static_argnums=0)
def step(functions, arrays, splits, rates, params, state, key, i):
    """The excess after epoch i at each of the rates, and where they lead."""

    def one(rate):
        def update(grads, state, params, _):
            updates, state = functions.optimizer.update(grads, state, params)
            return -rate * updates, state

        batches = functions.epoch(arrays, key, i)
        after, _ = train_epoch(functions, arrays, update, Progress(params, state), batches)
        now = functions.before(splits, key, i + 1) if functions.before else splits
        return evaluate(functions, arrays, now, after.params).full, after

    return jax.vmap(one)(rates)


@partial(jax.jit, static_argnums=0)
def after_one(functions, arrays, splits, rates, theta, keys):
    state = functions.optimizer.init(theta)
    one = lambda key: step(functions, arrays, splits, rates, theta, state, key, 0)[0]  # noqa: E731
    return jax.vmap(one)(keys)


def scan(task, theta, guess, count=1):
    """41 rates around a guess, 2.5 % apart, and the mean excess after one step at each."""
    rates = guess * np.geomspace(1 / 1.65, 1.65, 41)
    now = (jnp.asarray(a, jnp.float32) for a in (rates, theta))
    return rates, np.asarray(after_one(*task[1:4], *now, keys(count)), np.float64).mean(0)


def best_rate(task, theta, guess, count=1):
    rates, losses = scan(task, theta, guess, count)
    return rates[losses.argmin()]


@partial(jax.jit, static_argnums=0)
def train(functions, arrays, splits, rates, keys):
    """Losses before each epoch and after the last, and the parameters: (lanes, seeds, T + 1)."""

    def run(lane, key):
        first, order = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
        params = functions.init(arrays, first)

        def epoch(progress, now):
            i, rate = now
            loss, after = step(functions, arrays, splits, rate[None], *progress, order, i)
            after = jax.tree.map(lambda a: a[0], after)
            return after, (loss[0], after.params)

        start = Progress(params, functions.optimizer.init(params))
        loss = evaluate(functions, arrays, splits, params).full
        steps = (jnp.arange(len(lane)), lane)
        _, (losses, path) = jax.lax.scan(epoch, start, steps)
        return jnp.append(loss, losses), jnp.concatenate([params[None], path])

    return jax.vmap(lambda lane: jax.vmap(lambda key: run(lane, key))(keys))(rates)


def losses_of(task, rates, count=1):
    rates = jnp.atleast_2d(jnp.asarray(rates, float))
    return np.asarray(train(*task[1:4], rates, keys(count))[0], np.float64)


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_true(name):
    task = problem_task(name, Hyper(epochs=7))
    facts, probe = task.facts, task.splits.train

    @jax.jit
    def look(arrays):
        params = task.functions.init(arrays, KEY)
        batches, again = (task.functions.epoch(arrays, KEY, jnp.asarray(i)) for i in (2, 3))
        accuracy = task.functions.accuracy(arrays, params, probe)
        return params, batches, again, task.functions.loss(arrays, params, probe), accuracy

    params, batches, again, loss, accuracy = look(task.arrays)
    assert (task.name, facts.domain) == (name, name.split("-")[0])
    assert (facts.steps, facts.classes, facts.floor, facts.epochs) == (1, 0, 0.0, 7)
    assert facts.batch == (8 if name == "least_squares" else 1)
    assert batches.y.shape == (1, facts.batch)
    assert batches.x.shape == (1, facts.batch, facts.inputs)
    assert probe.x.shape[1:] == (facts.inputs,)
    assert facts.parameters == params.size
    assert facts.stream == (facts.noise > 0) == bool((batches.x != again.x).any())
    assert facts.rows == (7 * facts.batch if facts.stream else 1)
    assert loss.dtype == jnp.float32
    assert loss.shape == ()
    np.testing.assert_allclose(accuracy, 1 - loss / facts.chance_loss, atol=1e-6)


@pytest.mark.parametrize("name", ["least_squares", "drift", "power_law-1.5", "lipschitz"])
def test_in_double_precision(name):
    with jax.enable_x64(True):
        task = problem_task(name, Hyper())
        params = jax.eval_shape(task.init, jax.random.key(0))
        loss = jax.eval_shape(task.loss, params, task.splits.test)
        batch = jax.eval_shape(task.functions.epoch, task.arrays, jax.random.key(0), 0)
    assert {a.dtype for a in (params, loss, *batch)} == {np.dtype("float64")}


@pytest.mark.parametrize("name", [n for n in NAMES if n != "saddle"])
def test_the_initial_excess_is_what_is_declared(name):
    """z < 4.5 where it is random: false alarm < 1e-5 a problem were the seed not fixed."""
    task = problem_task(name, Hyper())
    loss = jax.jit(jax.vmap(lambda key: task.loss(task.init(key), task.splits.train)))
    start = loss(keys(4000))
    start = np.asarray(start, np.float64)
    error = 4.5 * start.std() / np.sqrt(len(start))
    np.testing.assert_allclose(start.mean(), task.facts.chance_loss, rtol=1e-5, atol=error)


@pytest.mark.parametrize(
    ("name", "floor"),
    [
        ("noisy_quadratic", 0.25),  # ½ Σ σ²/h
        ("noisy_quadratic_3d", 0.5 * (0.05 + 0.2 + 1.0)),
        ("least_squares", 0.125),  # ½ s_n²
        ("drift", 0.5),
    ],
)
def test_what_is_evaluated_is_the_expected_loss_less_its_floor(name, floor):
    """A million fresh rows. Of their mean loss z < 4.5: false alarm < 1e-5 a problem."""
    task = problem_task(name, Hyper(batch=1_000_000))
    theta = task.init(jax.random.key(8)) + 0.7
    before = task.functions.before or (lambda splits, key, i: splits)
    now = before(task.splits, KEY, jnp.asarray(3))

    @jax.jit
    def losses(arrays):
        batch = jax.tree.map(lambda a: a[0], task.functions.epoch(arrays, KEY, jnp.asarray(3)))
        return jax.vmap(lambda *row: task.loss(theta, Batch(*(a[None] for a in row))))(*batch)

    rows = np.asarray(losses(task.arrays), np.float64)
    error = 4.5 * rows.std() / 1000
    assert error < 0.02 * rows.mean()
    assert abs(rows.mean() - floor - task.loss(theta, now.train)) < error


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


@pytest.mark.parametrize(("name", "batch"), [("noisy_quadratic", 1), ("noisy_quadratic", 4)])
@pytest.mark.parametrize("excess", [0.02, 0.3, 4.0])
def test_the_best_next_rate_of_the_noisy_quadratic(name, batch, excess):
    """At the empirical optimum the relative standard error is < 1.3 %; 7.5 % is 5 of them."""
    problem = numbers(name)
    expected = exact.noisy_quadratic_rate(excess, problem, batch)
    theta = np.sqrt(2 * excess / problem.curvature)
    got = best_rate(problem_task(name, Hyper(batch=batch)), theta, 1.13 * expected, 100_000)
    np.testing.assert_allclose(got, expected, rtol=0.075)


@pytest.mark.parametrize("excess", [0.05, 2.0])
def test_the_best_next_rate_and_loss_of_least_squares(excess):
    """Relative standard errors < 1.6 % and < 0.5 %; the tolerances are 5 of them or more."""
    problem = numbers("least_squares")
    task = problem_task("least_squares", Hyper())
    away = np.array([1.0, -2, 0, 0.5, 3, 0, 1, 1])
    away *= np.sqrt(2 * excess / problem.scale) / np.linalg.norm(away)
    expected = exact.least_squares_rate(excess, problem, 8)
    rates, losses = scan(task, problem.target + away, 1.13 * expected, 10_000)
    np.testing.assert_allclose(rates[losses.argmin()], expected, rtol=0.08)
    foreseen = exact.least_squares_next(excess, rates, problem, 8)
    np.testing.assert_allclose(losses, foreseen, rtol=0.03)


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
    assert losses_of(task, [first])[0, 0, 1] < 1e-6 * task.facts.chance_loss


def test_the_ideal_rate_of_sign_descent_is_the_distance():
    problem, task = numbers("sign_descent"), problem_task("sign_descent", Hyper(optimizer="sign"))
    for excess in (0.1, 2.0):
        expected = exact.sign_rate(excess, problem)
        np.testing.assert_allclose(expected, np.sqrt(2 * excess / (2 * problem.coefficient)))
        assert best_rate(task, [expected], 1.1 * expected) == pytest.approx(expected, rel=0.013)


def test_an_exponential_tail_falls_evenly_when_the_rate_rises():
    task, t = problem_task("exponential_tail", Hyper()), np.arange(12)
    rates = exact.exponential_tail_rate(np.exp(-0.5 * t), 0.5)
    np.testing.assert_allclose(losses_of(task, rates)[0, 0], np.exp(-0.5 * np.arange(13)), 1e-4)


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
    got = losses_of(task, rates, count)
    for lane, rate in zip(got, rates, strict=True):
        moments = problem.initial
        for alpha in rate:
            moments = (1 - alpha * h) ** 2 * moments + alpha**2 * problem.variance
        deviation = np.sqrt((h**2 * moments**2 / 2).sum() / count)
        assert abs(lane[:, -1].mean() - h @ moments / 2) < 4.5 * deviation


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
    lanes = jnp.asarray([rates, constant], jnp.float32)
    losses, path = train(*task[1:4], lanes, keys(1))
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
    start = np.asarray(jax.vmap(task.init)(keys(200)))
    assert np.linalg.norm(start, axis=1).max() <= 3.0
    steps = jax.jit(jax.vmap(jax.grad(task.loss), (0, None)))(start, task.splits.train)
    assert np.linalg.norm(steps, axis=1).max() <= 2.0 + 1e-6
    linear = exact.linear_rates(problem, epochs)
    bound = exact.linear_bound(problem, epochs)
    constants = np.geomspace(0.03, 1, 16)[:, None] * np.ones(epochs)
    ends = losses_of(task, [linear, *constants], 200)[..., -1]
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
        near = task.arrays._replace(spread=task.arrays.spread * 1e-3, distance=jnp.asarray(0.0))
        lanes = jnp.full((1, 300), rate)
        path = np.asarray(train(task.functions, near, task.splits, lanes, keys(32))[1])[0, 0, :, 1]
        factor = exact.escape_factor(rate, 1.0, momentum)
        at = np.argmax(np.abs(path) > 1e-3)  # later than the other root, still before the bend
        assert at > 0
        np.testing.assert_allclose(path[at] / path[at - 1], factor, rtol=2e-3)
        losses = np.asarray(train(task.functions, task.arrays, task.splits, lanes, keys(32))[0])[0]
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
    drift, moment = Drift(0.8, 0.03, 1.0), 1.0
    for _ in range(500):
        gain = moment / (moment + 0.8 / 3)
        moment = (1 - gain) * moment + 0.03
    np.testing.assert_allclose(gain, exact.drift_rate(drift, batch=3), rtol=1e-9)
    np.testing.assert_allclose(moment / 2, exact.drift_loss(gain, drift, batch=3), rtol=1e-9)
