"""The table of problems: what each declares is true, and those of one kind share a program."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.lab.hyper import Hyper
from psi.lab.tasks.names import PROBLEM_NAMES
from psi.lab.tasks.problems import PROBLEMS, problem_task
from tests.lab.tasks.stepping import KEY


@pytest.mark.slow  # many programs are compiled
@pytest.mark.parametrize("name", PROBLEM_NAMES)
def test_facts_are_true(name):
    """Of a random initial excess z < 4.5: false alarm < 1e-5 a problem were the seed not fixed."""
    task = problem_task(name, Hyper(epochs=7))
    facts, probe, functions = task.facts, task.splits.train, task.functions

    @jax.jit
    def look(arrays, key):
        params = jax.vmap(partial(functions.init, arrays))(jax.random.split(key, 4000))
        loss, accuracy = (
            jax.vmap(lambda theta, of=of: of(arrays, theta, probe))(params)
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


def test_problems_of_one_kind_share_their_functions():
    def functions(name, **hyper):
        return problem_task(name, Hyper(**hyper)).functions

    assert functions("power_law-1") == functions("power_law-4") == functions("sign_descent")
    assert functions("noisy_quadratic") == functions("noisy_quadratic_3d")
    assert functions("noisy_quadratic") != functions("noisy_quadratic", batch=4)
    assert functions("power_law-2", batch=4) == functions("power_law-2")
    assert functions("drift", optimizer="momentum") != functions("drift")


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"unknown problem 'power_law-5'; allowed: .*power_law-4"):
        problem_task("power_law-5", Hyper())
    with pytest.raises(ValueError, match="network must be None, got 'cnn'"):
        problem_task("drift", Hyper(network="cnn"))
    with pytest.raises(ValueError, match="float32 alone"):
        problem_task("noisy_quadratic", Hyper(2, precision="bfloat16"))


def test_the_names_are_those_of_the_table():
    assert tuple(name for name, _ in PROBLEMS) == PROBLEM_NAMES
