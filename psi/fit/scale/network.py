"""The same facts through a small Flax network, fitted to the same regret.

log α = the power law of `linear` + the mean over four networks of MLP(z), two hidden layers of tanh
(`psi.fit.network.PsiNetwork`) on standardised logarithms of facts, which begin at 0. So it is what
products and bends of facts add to the power law, and far from its tasks it goes on as that does.
Each network trains on three quarters of the domains by full-batch AdamW and keeps the weights of
the step that had the least regret on the last quarter: one that has learnt domains by heart is
worse on others long before its own regret says so. It is there to be compared with the power law on
left-out domains, not to be shipped.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from flax import nnx
from jaxtyping import Array, Float

from psi.fit.network import RATE, WEIGHT_DECAY, PsiNetwork
from psi.fit.scale.facts import FactSet, design
from psi.fit.scale.left_out import Predictor
from psi.fit.scale.linear import Candidate, fit_linear, task_weights
from psi.fit.scale.regret import regret_at
from psi.fit.scale.tuned import TunedTasks
from psi.ideal.resampling import folds, numbered

MEMBERS = 4
STEPS = 600
PAD = 256


class _Batch(NamedTuple):
    """Tasks as the training loop wants them, padded with tasks of weight 0."""

    z: Any
    base: Any
    """log α of the power law"""
    curves: Any


def network(facts: FactSet, schedule: str = "linear", seed: int = 0) -> Predictor:
    """A fit of the ensemble, to be left out like any other.

    Args:
        facts: which facts, at least one.
        schedule: whose regret.
        seed: of the initial weights and of which domains stop which network.

    Returns:
        A function that fits tasks and returns the log rate for rows of facts.

    Raises:
        ValueError: the set of facts is empty.
    """
    if not facts.columns:
        raise ValueError(f"a network needs at least one fact, got {facts.name!r}")

    def fit(tasks: TunedTasks) -> Any:
        base = fit_linear(tasks, Candidate(facts, schedule=schedule)).log_rates
        x, weight = design(tasks.facts, facts), task_weights(tasks.domain)
        shift, spread = weight @ x, np.maximum(np.sqrt(weight @ (x - weight @ x) ** 2), 1e-6)
        pad = np.minimum(np.arange(len(x) + -len(x) % PAD), len(x) - 1)
        curves = tasks.curves[schedule].take(pad)
        batch = _Batch((x[pad] - shift) / spread, base(tasks.facts)[pad], curves)
        split = [nnx.split(_beginning(x.shape[1], seed + k)) for k in range(MEMBERS)]
        graph = split[0][0]
        states = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(state for _, state in split))
        shares = _shares(tasks, weight, len(pad), seed)
        trained = _train(graph, states, jax.tree.map(jnp.asarray, batch), *shares)

        def log_rates(rows: pd.DataFrame) -> Float[np.ndarray, " task"]:
            z = jnp.asarray((design(rows, facts) - shift) / spread)
            members = jax.vmap(lambda state: jax.vmap(nnx.merge(graph, state))(z))(trained)
            return base(rows) + np.asarray(members.mean(0), float)

        return log_rates

    return fit


def _beginning(inputs: int, seed: int) -> PsiNetwork:
    """A network whose last layer is 0."""
    made = PsiNetwork(inputs, nnx.Rngs(seed))
    last = made.layers[-1]
    last.kernel = nnx.Param(jnp.zeros_like(last.kernel[...]))
    return made


def _shares(
    tasks: TunedTasks, weight: Float[np.ndarray, " task"], size: int, seed: int
) -> tuple[Array, Array]:
    """(weights for training, weights for stopping), each of shape=(member, padded task)."""
    number = numbered(tasks.domain)
    part = folds(int(number.max()) + 1, MEMBERS, np.random.default_rng(seed))[number]
    held = part[None] == np.arange(MEMBERS)[:, None] % (part.max() + 1)
    both = np.stack([weight * ~held, weight * held])
    both = np.pad(both, ((0, 0), (0, 0), (0, size - len(weight))))
    seen, stop = jnp.asarray(both / np.maximum(both.sum(2, keepdims=True), 1e-12))
    return seen, stop


@partial(jax.jit, static_argnums=0)
def _train(graph: nnx.GraphDef, states: Any, batch: _Batch, seen: Array, stop: Array) -> Any:
    """The weights of each member at the step of the least regret on its own left-out domains."""
    transform = optax.adamw(optax.cosine_decay_schedule(RATE, STEPS), weight_decay=WEIGHT_DECAY)

    def member(state: Any, seen: Array, stop: Array) -> Any:
        def loss(state: Any) -> tuple[Array, Array]:
            log_rate = batch.base + jax.vmap(nnx.merge(graph, state))(batch.z)
            lost = regret_at(batch.curves, log_rate, jnp)
            return seen @ lost, stop @ lost

        def step(carry: Any, _: None) -> tuple[Any, None]:
            state, moments, kept, least = carry
            (_, lost), slope = jax.value_and_grad(loss, has_aux=True)(state)
            kept = jax.tree.map(lambda a, b: jnp.where(lost < least, a, b), state, kept)
            updates, moments = transform.update(slope, moments, state)
            return (optax.apply_updates(state, updates), moments, kept, jnp.fmin(lost, least)), None

        start = (state, transform.init(state), state, jnp.asarray(jnp.inf))
        return jax.lax.scan(step, start, None, STEPS)[0][2]

    return jax.vmap(member)(states, seen, stop)
