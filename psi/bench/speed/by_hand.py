"""What a JAX user would write by hand: jit(vmap(train)), or one network after the other.

Each network draws its own minibatches, and only the running loss is kept. The networks are those
of the lab, but for the multilayer perceptron, which is written with rows first as people do.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from psi.lab.engine.run import run_keys
from psi.lab.engine.timing import seconds
from psi.lab.networks.network import Params
from psi.lab.tasks.task import Batch, Task


def naive_vmap(task: Task, size: int, repeats: int = 3) -> float:
    """Runs a second of `jit(vmap(train))` over rates and keys."""
    rates = jnp.geomspace(0.01, 1, size)
    keys = jax.random.split(jax.random.key(0), size)
    program = jax.jit(jax.vmap(_train(task)))
    return size / seconds(lambda: program(rates, keys).block_until_ready(), repeats)[1]


def one_at_a_time(task: Task, size: int, repeats: int = 3) -> float:
    """Runs a second of `jit(train)`, called once a network."""
    program = jax.jit(_train(task))
    rates = np.geomspace(0.01, 1, size)

    def run() -> None:
        for k, rate in enumerate(rates):
            program(rate, jax.random.key(k)).block_until_ready()

    return size / seconds(run, repeats)[1]


def _train(task: Task) -> Callable[[Array, Key[Array, ""]], Float[Array, " epoch"]]:
    loss = _rows_first if task.facts.network == "mlp" else task.loss

    def step(rate: Array, params: Params, batch: Batch) -> tuple[Params, Array]:
        value, grads = jax.value_and_grad(loss)(params, batch)
        return jax.tree.map(lambda p, g: p - rate * g, params, grads), value

    def train(rate: Array, key: Key[Array, ""]) -> Float[Array, " epoch"]:
        params = task.init(run_keys(key)[0])
        if loss is _rows_first:
            params = [(weights.T, bias) for weights, bias in params]

        def epoch(params: Params, i: Array) -> tuple[Params, Array]:
            batches = task.functions.epoch(task.arrays, key, i)
            params, losses = jax.lax.scan(lambda p, b: step(rate, p, b), params, batches)
            return params, losses.mean()

        return jax.lax.scan(epoch, params, jnp.arange(task.facts.epochs))[1]

    return train


def _rows_first(params: Params, batch: Batch) -> Float[Array, ""]:
    h = batch.x
    for weights, bias in params[:-1]:
        h = jax.nn.relu(h @ weights + bias[None])
    weights, bias = params[-1]
    log_p = jax.nn.log_softmax(h @ weights + bias[None])
    return -jnp.take_along_axis(log_p, batch.y[:, None], axis=1).mean()
