"""Networks in the place of a feedback's formula: what an unrestricted answer would be worth.

    α_i = scale(facts) · (1 − t) · exp(u_i),    u_i = clip(N(h_i, x_i), CAPS)

over the same inputs x_i as a formula has, with t, stream and log T/20, and, if they are asked for,
with statistics of the updates. N is one hidden layer of `units` (dense), a gated recurrent unit of
that many (Cho et al. 2014, arXiv 1406.1078), whose h_i remembers what it will of the run, or the
leaky sum of a formula, u_i = (1 − leak) u_{i−1} + w · x_i. The weights of the last layer begin at
0: a search begins at the law of facts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from psi.fit.feedback.family import CAPS, INPUTS, LEAST, MOST, OF_VALIDATION, USUAL, Family
from psi.lab.engine.policy import Policy, heard
from psi.law.checks import at_least, unknown
from psi.law.clock import Clock, decide
from psi.law.expression import evaluate
from psi.law.features import Observation, values
from psi.law.law import Law
from psi.law.memory import Memory, begun, log_ratio
from psi.law.namespace import Namespace
from psi.law.parsing import parse

BESIDE = ("progress", "stream", f"log(budget/{USUAL})")
"""What a network sees beside the inputs of a feedback."""
STATISTICS = ("tanh log ‖g‖/‖g‖_1", "tanh (log ‖Δθ‖/‖θ‖ + 5)/3")
"""Of updates, root mean squares over the steps of the last epoch; 0 before one has ended."""
LEAK = 0.1
"""Of the leaky sum, where a search begins."""
SPREAD = 0.1
"""How far a search looks at first along each weight."""


class Dense(nnx.Module):
    """x → tanh layer → u; it remembers nothing."""

    def __init__(self, inputs: int, units: int, rngs: nnx.Rngs) -> None:
        self.hidden = nnx.Linear(inputs, units, rngs=rngs)
        self.last = _last(units, rngs)

    def __call__(self, h: Array, x: Array) -> tuple[Array, Array]:
        """(h as it was, u)."""
        return h, self.last(jnp.tanh(self.hidden(x)))[0]


class Recurrent(nnx.Module):
    """(h, x) → gated recurrent unit → (h, u)."""

    def __init__(self, inputs: int, units: int, rngs: nnx.Rngs) -> None:
        self.cell = nnx.GRUCell(inputs, units, rngs=rngs)
        self.last = _last(units, rngs)

    def __call__(self, h: Array, x: Array) -> tuple[Array, Array]:
        """(the new h, u)."""
        after, out = self.cell(h, x)
        return after, self.last(out)[0]


class Leaky(nnx.Module):
    """(u, x) → (1 − leak) u + w · x within CAPS, in the first unit."""

    def __init__(self, inputs: int, units: int, rngs: nnx.Rngs) -> None:
        del units
        self.last = _last(inputs, rngs)
        self.leak = nnx.Param(jnp.full((), LEAK))

    def __call__(self, h: Array, x: Array) -> tuple[Array, Array]:
        """(u in the first unit, u)."""
        u = jnp.clip((1 - self.leak[...]) * h[0] + self.last(x)[0], *CAPS)
        return h.at[0].set(u), u


def _last(units: int, rngs: nnx.Rngs) -> nnx.Linear:
    return nnx.Linear(units, 1, kernel_init=nnx.initializers.zeros, rngs=rngs)


Kind = Literal["dense", "gru", "leaky"]
KINDS = {"dense": Dense, "gru": Recurrent, "leaky": Leaky}


@dataclass(frozen=True)
class NetworkFamily:
    """Policies whose feedback is a network; its weights are the constants.

    Args:
        base: a law of facts that sees T.
        inputs: names of psi.fit.feedback.family.INPUTS.
        kind: "dense", "gru" or "leaky".
        units: of the hidden layer.
        seed: of the initial weights.
        statistics: whether it sees those of the updates, for a plan that measures them.

    Raises:
        ValueError: as `Family`, or the base does not see T, or the kind is unknown.
    """

    base: Law
    inputs: tuple[str, ...] = OF_VALIDATION
    kind: Kind = "gru"
    units: int = 8
    seed: int = 0
    statistics: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(unknown("kind of network", self.kind, KINDS))
        at_least(self, units=1, seed=0)
        if not self.family.knows_budget or not self.inputs:
            raise ValueError(f"a network needs inputs and a base that sees T, got {self}")

    @property
    def family(self) -> Family:
        """The formulas with the same base and inputs."""
        return Family(self.base, self.inputs)

    @property
    def words(self) -> list[str]:
        """Kind, size, and what it sees."""
        seen = [*self.family.words, *BESIDE, *(STATISTICS if self.statistics else ())]
        return [self.kind, str(self.units), str(self.seed), *seen]

    @property
    def constants(self) -> tuple[str, ...]:
        """Of each weight."""
        return tuple(f"weight_{k}" for k in range(len(self.start)))

    @property
    def start(self) -> Float[np.ndarray, " weight"]:
        """The initial weights, at which u is 0."""
        return np.asarray(ravel_pytree(_network(self)[1])[0], float)

    @property
    def spreads(self) -> Float[np.ndarray, " weight"]:
        """How far a search looks at first along each weight."""
        return np.full(len(self.start), SPREAD)

    def within(self, constants: Float[np.ndarray, "*lane weight"]) -> np.ndarray:
        """The weights: they have no limits."""
        return constants

    def policy(self) -> Callable[[Array], Policy]:
        """What makes the weights of a lane its policy."""
        return _policy(self)


class Watching(NamedTuple):
    """The state of a run under a network."""

    last: Float[Array, ""]
    """α_{i−1}"""
    memory: Memory
    hidden: Float[Array, " unit"]
    first: Float[Array, ""]
    """‖g‖ of the first epoch; 0 before its end."""


def of_updates(seen: Observation, first: Array) -> list[Array]:
    """The STATISTICS; what is not known, or not above 0, is 0."""
    gradient = log_ratio(seen.grad_norm, first, jnp)
    update = log_ratio(seen.update_norm, seen.weight_norm, jnp)
    moved = (seen.update_norm > 0) & (seen.weight_norm > 0) & jnp.isfinite(seen.update_norm)
    return [jnp.tanh(gradient), jnp.where(moved, jnp.tanh((update + 5) / 3), 0)]


@cache
def _network(family: NetworkFamily) -> tuple[Any, Any]:
    """The structure and the initial weights."""
    count = len(family.inputs) + len(BESIDE) + len(STATISTICS) * family.statistics
    return nnx.split(KINDS[family.kind](count, family.units, nnx.Rngs(family.seed)))


@cache
def _policy(family: NetworkFamily) -> Callable[[Array], Policy]:
    formulas = family.family
    clock = Clock(formulas.template, USUAL, min_lr=LEAST, max_lr=MOST)
    names = formulas.features
    inputs = [parse(each) for each in (*(INPUTS[name] for name in family.inputs), *BESIDE)]
    scale, begin = formulas.rate.formula, formulas.rate.start
    structure, weights = _network(family)
    unravel = ravel_pytree(weights)[1]

    def make(constants: Array) -> Policy:
        network = nnx.merge(structure, unravel(constants))

        def init(seen: Observation) -> Watching:
            last = jnp.asarray(clock.lowest_rate, dtype=float)
            memory, zero = begun(seen.initial_loss, jnp), jnp.zeros(())
            return Watching(last, memory, jnp.zeros(family.units), zero)

        def step(state: Watching, seen: Observation) -> tuple[Watching, Array]:
            memory = heard(state.memory, seen)
            now = values(names, seen._replace(memory=memory), jnp)
            x = [jnp.asarray(evaluate(each, names, [*now], jnp), float) for each in inputs]
            first = state.first
            if family.statistics:
                first = jnp.where(seen.epoch == 1, seen.grad_norm, first)
                x += of_updates(seen, first)
            hidden, u = network(state.hidden, jnp.stack(x))
            memory = memory._replace(feedback=jnp.clip(u, *CAPS))

            def psi(known: Array, xp: Namespace) -> Array:
                return xp.asarray(scale.value(names, known, begin, xp))

            rate = decide(clock, seen._replace(memory=memory), state.last, jnp, psi)
            return Watching(rate, memory, hidden, first), rate

        return Policy(init, step)

    return make
