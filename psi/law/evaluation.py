"""Ψ at an observation of a run: what is not known, and what lies beyond the law's domain.

A fact that is not known is the law's typical one. Each feature is clipped
to its domain, and Ψ there to the law's rates. Where the law extrapolates a fact, that is multiplied
by the ratio of Ψ at the fact to Ψ at the nearest end of its domain: a power law goes on, whatever
the law's rates, and within the domain nothing changes.
"""

import math
from collections.abc import Callable

import numpy as np

from psi.law.features import FACTS, FEATURES, Observation
from psi.law.law import Law
from psi.law.memory import Memory
from psi.law.namespace import Array, Namespace

Psi = Callable[[Array, Namespace], Array]
"""(features, array namespace) → Ψ"""


def psi_of(law: Law, seen: Observation, xp: Namespace, psi: Psi | None = None) -> Array:
    """Ψ as a law is used; a function `psi` replaces the law's own, for searches over laws."""
    psi = psi or law
    within, beyond = _held(law, seen, xp)
    near = psi(xp.asarray(within), xp)
    rate = clip(near, law.rates, xp)
    if not law.extrapolates:
        return rate
    return rate * xp.where(near > 0, psi(xp.asarray(beyond), xp) / near, 1.0)


def fed(
    law: Law, memory: Memory, seen: Observation, xp: Namespace, change: Psi | None = None
) -> Memory:
    """The memory with u_i = clip(keep · u_{i−1} + change(features), the domain of `feedback`).

    u_i stays u_{i−1} before the first epoch, and where the loss or the change is not finite. A
    function `change` replaces the law's own, for searches over laws.
    """
    if law.feedback is None or law.caps is None:
        return memory
    seen = seen._replace(memory=memory._replace(feedback=memory.before))
    features = xp.asarray(_held(law, seen, xp)[0])
    with np.errstate(all="ignore"):
        step = change(features, xp) if change else law.feedback(law.features, features, xp)
        u = clip(law.feedback.keep * memory.before + step, law.caps, xp)
    fine = (memory.came > 0) & xp.isfinite(u) & (seen.epoch > 0)
    return memory._replace(feedback=xp.where(fine, u, memory.before))


def _held(law: Law, seen: Observation, xp: Namespace) -> tuple[list[Array], list[Array]]:
    """The features within the law's domain, and those where what goes on beyond it is not held."""
    within, beyond = [], []
    for name, domain in zip(law.features, law.domain, strict=True):
        value = FEATURES[name](seen)
        if name in FACTS:
            # No weight and no row is nothing to take a power of; only `stream` may be 0.
            known = value >= 0 if name == "stream" else value > 0
            value = xp.where(known, value, stand_in(law, name))
        within.append(clip(value, domain, xp))
        beyond.append(value if name in law.extrapolates else within[-1])
    return within, beyond


def stand_in(law: Law, name: str) -> float:
    """What a law takes for a fact that is not known: its typical one.

    That is the geometric middle of the domain where the law declares none.
    """
    if law.typical:
        return law.typical[law.facts.index(name)]
    low, high = law.domain[law.features.index(name)]
    return math.sqrt(low) * math.sqrt(high)


def clip(a: Array, ends: tuple[Array, Array], xp: Namespace) -> Array:
    """The nearest number between two ends."""
    # numpy's own clip takes five times as long for a number, its stack ten times for a few.
    return xp.minimum(xp.maximum(a, ends[0]), ends[1])
