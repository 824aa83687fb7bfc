"""A policy chooses the learning rate: two pure functions, asked once before each epoch."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from psi.law.clock import Clock, decide, remembered
from psi.law.evaluation import Psi, fed
from psi.law.features import Observation
from psi.law.law import Law
from psi.law.memory import Memory, begun


class Policy(NamedTuple):
    """Two pure functions that choose the learning rate of every epoch of a run.

    Args:
        init: observation before the first epoch → state, any pytree of arrays.
        step: (state, observation before epoch i) → (state, α_i), α_i a scalar.

    A rule that cuts the rate to a tenth once the loss has fallen to a tenth:

    >>> import jax.numpy as jnp
    >>> from psi.lab.engine.policy import Policy
    >>> rate = lambda seen: jnp.where(seen.loss < 0.1 * seen.initial_loss, 0.01, 0.1)
    >>> rule = Policy(lambda seen: (), lambda state, seen: (state, rate(seen)))
    """

    init: Callable[[Observation], Any]
    step: Callable[[Any, Observation], tuple[Any, Float[Array, ""]]]


def trajectory(rates: Float[Array, " epoch"]) -> Policy:
    """The policy α_i = rates[i], whatever the loss.

    Args:
        rates: α_0 … α_{T−1}, shape=(T,).

    Returns:
        The policy.

    >>> import jax.numpy as jnp
    >>> from psi.lab.engine.policy import trajectory
    >>> policy = trajectory(jnp.array([0.1, 0.05, 0.01]))
    """
    return Policy(init=lambda _: (), step=lambda state, seen: (state, rates[seen.epoch]))


def one_of(policies: Sequence[Policy], number: Int[Array, ""]) -> Policy:
    """The policy of that number among several, so that one program trains lanes of all of them.

    Each of them is asked, which costs a few scalars where a program takes seconds to compile.

    Args:
        policies: the policies; each keeps a state of its own.
        number: which of them chooses the rate, an index that may be traced.

    Returns:
        The policy.

    >>> import jax.numpy as jnp
    >>> from psi.lab.engine.policy import one_of, trajectory
    >>> both = one_of([trajectory(jnp.ones(3)), trajectory(jnp.zeros(3))], jnp.asarray(1))
    """

    def step(states: tuple[Any, ...], seen: Observation) -> tuple[tuple[Any, ...], Array]:
        pairs = [one.step(state, seen) for one, state in zip(policies, states, strict=True)]
        rates = jnp.stack([jnp.asarray(rate, dtype=float) for _, rate in pairs])
        return tuple(state for state, _ in pairs), rates[number]

    return Policy(lambda seen: tuple(one.init(seen) for one in policies), step)


def law_policy(law: Law, epochs: int) -> Policy:
    """The policy that follows a law, by the same rules as psi's schedulers.

    Args:
        law: a fitted law, for instance from psi.load.
        epochs: T, the budget in epochs.

    Returns:
        The policy; its state is the last rate, which stands in where a loss is not finite, and
        what a law remembers of the losses. No run of a population measures its first gradient,
        which a scheduler does: `measured_policy` takes its norm, else it is the law's typical one.

    >>> import psi
    >>> from psi.lab.engine.policy import law_policy
    >>> policy = law_policy(psi.load("sgd"), epochs=20)
    """
    return clock_policy(Clock(law, epochs))


def measured_policy(clock: Clock, own: Float[Array, ""]) -> Policy:
    """The policy of a clock in a run that was probed: `own` is its α_0, or ‖g_0‖.

    α_0 is for a law that is scale × shape, ‖g_0‖ for another that sees `initial_grad_norm`; others
    take neither.
    """
    ruled = clock_policy(clock.at_scale(own))
    if not sees_gradient(clock.law):
        return ruled

    def step(last: Any, seen: Observation) -> tuple[Any, Array]:
        return ruled.step(last, seen._replace(initial_grad_norm=own))

    return Policy(ruled.init, step)


def sees_gradient(law: Law) -> bool:
    """Whether a probed run tells a law ‖g_0‖."""
    return law.scale is None and "initial_grad_norm" in law.features


class Ruled(NamedTuple):
    """The state of a run under a clock."""

    last: Float[Array, ""]
    """α_{i−1}"""
    memory: Memory | tuple[()]


def heard(memory: Memory, seen: Observation) -> Memory:
    """The memory with the losses that are new before an epoch; before the first, as it began."""
    after = remembered(memory, seen.loss, seen.val_loss, jnp)
    return jax.tree.map(partial(jnp.where, seen.epoch > 0), after, memory)


def clock_policy(clock: Clock, psi: Psi | None = None, change: Psi | None = None) -> Policy:
    """The policy of a clock: its law, or functions of the features in the place of its parts.

    Args:
        clock: the law, with the settings of the run.
        psi: in the place of Ψ; None: the law's.
        change: in the place of the change of its feedback; None: the law's.

    Returns:
        The policy. As with a scheduler, no validation loss is known before the first epoch.
    """
    law = clock.law

    def init(seen: Observation) -> Ruled:
        memory = begun(seen.initial_loss, jnp) if law.remembers else ()
        return Ruled(jnp.asarray(clock.lowest_rate, dtype=float), memory)

    def step(state: Ruled, seen: Observation) -> tuple[Ruled, Array]:
        if isinstance(memory := state.memory, Memory):
            memory = fed(law, heard(memory, seen), seen, jnp, change)
            seen = seen._replace(memory=memory)
        rate = decide(clock, seen, state.last, jnp, psi)
        return Ruled(rate, memory), rate

    return Policy(init, step)
