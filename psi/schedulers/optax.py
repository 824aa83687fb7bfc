"""A law as an optax gradient transformation."""

import math
import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer

from psi.law.checks import whole_number
from psi.law.clock import Clock, ClockState, measured, observe, start, turn
from psi.law.domain import Outside, outside_loss, outside_run
from psi.law.facts import UNKNOWN, Facts
from psi.law.law import Law
from psi.law.parts import explained
from psi.schedulers import host
from psi.schedulers.counting import awaits_gradient, completed, measures
from psi.schedulers.kin import Found, outside_optimizer, recognise

NEEDS_LOSS = (
    "scale_by_psi needs the loss: tx.update(grads, state, params, value=loss). In place of flax's "
    "TrainState.apply_gradients, which passes none, call state.tx.update(grads, state.opt_state, "
    "state.params, value=loss) and state.replace(step=…, params=…, opt_state=…)"
)
OTHERS = "Factored|Ema|Muon|Sophia|Prodigy|Madgrad|Momo|DoG|DoWG|DAdapt|COCOB"
RULE = re.compile(f"(?:ScaleBy(?!Schedule|LearningRate)|(?={OTHERS}))(.+)State")
"""States of optax's transformations that are a rule of updates."""


def scale_by_psi(
    law: Law,
    steps_per_epoch: int,
    epochs: int | None = None,
    initial_loss: float | None = None,
    scale: Any = None,
    min_lr: float = 1e-6,
    max_lr: float = 10.0,
    *,
    warmup: int = 0,
    max_change: float | None = None,
    strict: bool = False,
    facts: Facts = UNKNOWN,
) -> optax.GradientTransformationExtraArgs:
    """Multiply updates by −α_i, α_i = Ψ(ε, i), as `optax.scale_by_learning_rate` does by −α.

    The rate is absolute and constant within an epoch of `steps_per_epoch` updates. `update` needs
    the minibatch's loss as the keyword `value`, a scalar in nats. For a law that sees facts, `init`
    counts the parameters that it is given and their root mean square; `facts` gives others. A law
    that sees the validation loss takes it as `val_value` of the first update of an epoch, and of no
    other; without it, or where it is NaN, there is none.

    The state is a `psi.law.ClockState`. `optax.tree.get(state, "learning_rate")` is the rate last
    used, `"skipped"` the number of epochs whose mean loss was not finite, so that they kept the
    rate before; `optax.tree.set(state, budget=40.0)` changes the budget T during a run.

    Args:
        law: a law for the optimizer that stands before this in the chain.
        steps_per_epoch: updates of an epoch.
        epochs: T, the budget in epochs; None only for a law that sees neither it nor i/T.
        initial_loss: ε_0 in nats, log(classes) for cross-entropy; None: the first `value`.
        scale: α_0 of a law that is scale × shape, a number or a scalar array; None: the law's
            own.
        min_lr: lower limit of the rate, which always holds.
        max_lr: upper limit of the rate, which always holds.
        warmup: epochs of a ramp: α_i is multiplied by min((i + 1)/(warmup + 1), 1).
        max_change: the factor by which α_i may differ from α_{i−1}, up or down; None: any.
        strict: raise in `init`, instead of warning, where T or a fact is not what the law has seen.
        facts: what is known of the training, for a law that sees it: `psi.Facts.of(params, (x, y),
            batch=32)`.

    `initial_loss`, `scale`, the limits and `max_change` may be traced (optax.inject_hyperparams
    under jit); the other arguments are static.

    Returns:
        A gradient transformation for `optax.chain`, after the optimizer.

    Raises:
        ValueError: a setting makes no sense; in `update`, `value` is missing or no float scalar.

    Example:
        >>> import jax.numpy as jnp, optax, psi
        >>> from psi.schedulers import scale_by_psi
        >>> law, facts = psi.load("momentum"), psi.Facts(rows=32, batch=8, classes=2)
        >>> rule = scale_by_psi(law, steps_per_epoch=4, epochs=5, facts=facts)
        >>> tx, w = optax.chain(optax.trace(0.9), rule), jnp.full(100, 0.2)
        >>> state = tx.init(w)
        >>> for step in range(5 * 4):
        ...     loss, gradient = jnp.sum(w**2), 2 * w
        ...     updates, state = tx.update(gradient, state, w, value=loss)
        ...     w = optax.apply_updates(w, updates)
        >>> bool(loss < 0.5), int(optax.tree.get(state, "epoch"))
        (True, 4)
    """
    clock = Clock(law, epochs, initial_loss, min_lr, max_lr, scale, facts, warmup, max_change)
    steps_per_epoch = whole_number("steps_per_epoch", steps_per_epoch)
    unmeasured = measures(law) and facts.initial_grad_norm is None

    @jax.jit  # for loops that are not compiled themselves
    def decided(
        state: ClockState, loss: jax.Array, held: jax.Array | float, updates: optax.Updates
    ) -> ClockState:
        begins = (state.epoch == 0) & (state.count == 0)
        ends = state.count == steps_per_epoch
        state = turn(clock, state, loss, begins, ends, jnp, held)
        return _shown(clock, state, updates) if unmeasured else state

    def init(params: optax.Params) -> ClockState:
        counted = {"parameters": _parameters(params), "steps_per_epoch": steps_per_epoch}
        known = completed(clock, counted, lambda: _weight_rms(params))
        seen = {"budget": known.budget, **known.facts.values()}
        later = {"initial_grad_norm"} if unmeasured else set()
        untraced = {k: seen[k] for k in seen.keys() - later if not isinstance(seen[k], Tracer)}
        host.Notices(strict).tell(*outside_run(law, untraced))
        state = start(known, jnp)
        return jax.tree.map(jnp.array, state)  # its own buffer each, so that all can be donated

    def update(
        updates: optax.Updates,
        state: Any,
        params: optax.Params | None = None,
        *,
        value: Any = None,
        val_value: Any = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, ClockState]:
        del params, extra_args
        loss, kind = _loss(value, state.total.dtype), state.total.dtype
        held = math.nan if val_value is None else _loss(val_value, kind, "val_value")
        state = decided(state, loss, held, updates if unmeasured else ())
        updates = jax.tree.map(lambda u: (-state.learning_rate * u).astype(u.dtype), updates)
        return updates, observe(state, loss)

    return optax.GradientTransformationExtraArgs(init, update)


def outside(law: Law, state: optax.OptState) -> tuple[Outside, ...]:
    """What of a run its law has not seen: budget, parameters, the last epoch's loss, optimizer.

    A compiled update cannot warn, so ask between epochs. An ended budget is named too, and a
    MultiSteps that keeps losses from the law.

    Args:
        law: the law of the run.
        state: the whole state of the optimizer, which has a `scale_by_psi` in it; not traced.

    Returns:
        What is outside, nothing where all is inside.

    Raises:
        ValueError: there is no state of a `scale_by_psi`, or there are several of them or runs.

    Example:
        >>> import jax.numpy as jnp, optax, psi
        >>> from psi.schedulers.optax import outside, scale_by_psi
        >>> law = psi.load("adam@0.1.0")
        >>> tx = optax.chain(optax.trace(0.9), scale_by_psi(law, steps_per_epoch=4, epochs=5))
        >>> [each.known for each in outside(law, tx.init(jnp.ones(12)))]
        ['the law is for adam, psi.load("momentum") fits it']
    """
    parts = _parts(state)
    own = _clock_state(parts, "outside")
    later = {"initial_grad_norm"} if measures(law) and awaits_gradient(own) else set()
    return (
        *outside_optimizer(law, _recognised([type(part).__name__ for part in parts])),
        *outside_run(law, {k: a for k, a in own._asdict().items() if k not in later}),
        *outside_loss(law, own),
        *_misused(parts, own),
    )


def explain(law: Law, state: optax.OptState) -> str:
    """Why the rate is what it is: its scale, shape and feedback in a sentence.

    Args:
        law: the law of the run.
        state: the whole state of the optimizer, which has a `scale_by_psi` in it; not traced.

    Returns:
        One line; what is due to a scale, a ramp or limits of the run's own is its last part.

    Raises:
        ValueError: there is no state of a `scale_by_psi`, or there are several of them or runs.

    Example:
        >>> import jax.numpy as jnp, optax, psi
        >>> from psi.schedulers.optax import explain, scale_by_psi
        >>> law = psi.load("adam")
        >>> tx = optax.chain(optax.scale_by_adam(), scale_by_psi(law, steps_per_epoch=4, epochs=5))
        >>> explain(law, tx.init(jnp.ones(12))).split(" × ")[1]
        '1 (shape: epoch 0 of 5)'
    """
    own = jax.tree.map(np.asarray, _clock_state(_parts(state), "explain"))
    epochs = None if np.isnan(own.budget) else int(own.budget)
    return explained(Clock(law, epochs), own)


def counted(params: Any) -> dict[str, Any]:
    """P and the root mean square of a pytree of arrays, the initial weights."""
    if not all(hasattr(leaf, "shape") for leaf in jax.tree.leaves(params)):
        raise ValueError(f"the model must be a pytree of arrays, got {params!r:.60}")
    rms = float(_weight_rms(params))
    return {"parameters": _parameters(params), "weight_rms": rms if rms > 0 else None}


def _parameters(params: Any) -> int:
    return max(optax.tree.size(params), 1)


def _loss(value: Any, dtype: Any, name: str = "value") -> jax.Array:
    """The loss of a minibatch; ValueError where it is none."""
    if value is None:
        raise ValueError(NEEDS_LOSS)
    if not jnp.issubdtype(kind := getattr(value, "dtype", type(value)), jnp.floating):
        raise ValueError(f"{name} must be a loss, a float in nats; got type {kind}")
    loss = jnp.asarray(value, dtype=dtype)
    if loss.shape != ():
        raise ValueError(f"{name} must be one loss, a scalar; got shape {loss.shape}")
    return loss


def _shown(clock: Clock, state: ClockState, updates: optax.Updates) -> ClockState:
    """The state with the norm of the run's first updates, where these are they; 0 is none yet."""

    def look() -> ClockState:
        norm = jnp.sqrt(_squares(updates)).astype(state.initial_grad_norm.dtype)
        after, seen = measured(clock, state, norm, jnp), (norm > 0) & jnp.isfinite(norm)
        return jax.tree.map(partial(jnp.where, seen), after, state)

    return jax.lax.cond(awaits_gradient(state), look, lambda: state)


def _squares(tree: Any) -> jax.Array:
    """Sum of the squares of all numbers."""
    leaves = (jnp.asarray(jnp.abs(leaf), dtype=float) for leaf in jax.tree.leaves(tree))
    return jnp.asarray(sum(jnp.sum(jnp.square(leaf)) for leaf in leaves), dtype=float)


def _weight_rms(params: Any) -> jax.Array:
    """NaN where all weights are zero."""
    rms = jnp.sqrt(_squares(params) / _parameters(params))
    return jnp.where(rms > 0, rms, jnp.nan)


def _clock_state(parts: list[Any], asked: str) -> ClockState:
    """The one state of a `scale_by_psi` among the parts of an optimizer's."""
    clocks = [part for part in parts if isinstance(part, ClockState)]
    if not clocks:
        raise ValueError("the state must be of an optimizer with a scale_by_psi, and has none")
    several = f"the state must be of one {{}}: {asked}(law, {{}}), got {{}}"
    if len(clocks) > 1:
        raise ValueError(several.format("scale_by_psi", "state.inner_states[label]", len(clocks)))
    if runs := jnp.shape(clocks[0].epoch):
        take = "jax.tree.map(lambda a: a[0], state)"
        raise ValueError(several.format("run", take, f"shape {runs}"))
    return clocks[0]


def _misused(parts: list[Any], own: ClockState) -> list[Outside]:
    """What the state tells of a wrong use: too many updates, a MultiSteps around it."""
    found, epoch, budget = [], int(own.epoch), float(own.budget)
    if epoch >= budget:
        done = "its last rates are held; does an epoch have steps_per_epoch updates?"
        found.append(Outside("ended", f"epoch {epoch} from 0", f"the budget was {budget:g}", done))
    for part in parts:
        inside = isinstance(part, optax.MultiStepsState) and _parts(part.inner_opt_state)
        if inside and any(each is own for each in inside):
            known = "it hands on the last micro-step's loss alone"
            found.append(Outside("value", "MultiSteps", known, "put it before scale_by_psi"))
    return found


def _parts(state: Any) -> list[Any]:
    """The named tuples of a state, outer ones first."""
    if isinstance(state, dict):
        return [part for value in state.values() for part in _parts(value)]
    if not isinstance(state, tuple):
        return []
    inner = [part for value in state for part in _parts(value)]
    return [state, *inner] if hasattr(state, "_fields") else inner


def _recognised(names: list[str]) -> Found:
    """The rule of updates, by the states that optax's transformations keep."""
    if rules := [rule[1] for rule in map(RULE.fullmatch, names) if rule]:
        return recognise(rules[:1], {})
    return recognise(["SGD"], {"momentum": 0.9 if "TraceState" in names else 0.0})
