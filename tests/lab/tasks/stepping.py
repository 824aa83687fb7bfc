"""Problems trained step by step: the excess after one rate, and whole runs with their path."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from psi.lab.engine.run import run_keys
from psi.lab.engine.training import Progress, evaluate, train_epoch
from psi.lab.tasks.problems import PROBLEMS

KEY = jax.random.key(5)


def numbers(name, epochs=20):
    return dict(PROBLEMS)[name].numbers(epochs)


def step(functions, arrays, splits, rate, progress, key, i):
    """The excess after epoch i at one rate, and where it leads."""

    def update(grads, state, params, *_):
        updates, state = functions.optimizer.update(grads, state, params)
        return -rate * updates, state

    batches = functions.epoch(arrays, key, i)
    progress, _ = train_epoch(functions, arrays, update, progress, batches)
    after = evaluate(functions, arrays, splits, progress, key, i + 1)
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
        initialisation, order = run_keys(key)
        params = functions.init(arrays, initialisation)
        start = Progress(params, functions.optimizer.init(params))

        def epoch(progress, at):
            i, rate = at
            loss, after = step(functions, arrays, splits, rate, progress, order, i)
            return after, (loss, after.params)

        _, (losses, path) = jax.lax.scan(epoch, start, (jnp.arange(len(lane)), lane))
        first = evaluate(functions, arrays, splits, start, order, jnp.asarray(0)).full
        return jnp.append(first, losses), jnp.concatenate([params[None], path])

    seeds = jax.random.split(key, count)
    return jax.vmap(lambda lane: jax.vmap(lambda key: run(lane, key))(seeds))(rates)


def runs_of(task, rates, count=1):
    """The same in numpy."""
    rates = np.atleast_2d(np.asarray(rates, np.float32))
    losses, path = train(task.functions, count, task.arrays, task.splits, rates, KEY)
    return np.asarray(losses, np.float64), np.asarray(path, np.float64)
