"""Where a run lies outside of what its law has seen.

There the clock holds each feature at the edge of the law's domain, so the rate is that of the
nearest run the law knows. Nobody should learn that from a spoilt training: adapters say it once a
run, or refuse such a run when they are `strict`.
"""

import math
from typing import NamedTuple

from psi.law.clock import ClockState
from psi.law.law import Law, Range
from psi.law.namespace import Array

FAR = 1.5  # a loss this many times above the domain is no noise, nor is a P a little beside it


class Outside(NamedTuple):
    """One thing of a run that its law has not seen."""

    what: str
    """`epochs`, `parameters`, `loss` or `optimizer`"""
    seen: str
    known: str
    """what the law has seen"""
    done: str
    """what happens about it"""

    def __str__(self) -> str:
        return f"{self.seen} ({self.known}: {self.done})"


def known_epochs(law: Law) -> float:
    """The longest budget T of the training tasks, by the domain of i/T or of i; else infinite."""
    domain = dict(zip(law.features, law.domain, strict=True))
    if "epoch" in domain:
        return domain["epoch"].high + 1
    last = domain["progress"].high if "progress" in domain else 1.0
    return round(1 / (1 - last), 6) if last < 1 else math.inf


def outside_run(law: Law, epochs: Array, parameters: Array) -> tuple[Outside, ...]:
    """What is outside before the first epoch: the budget T, the number of parameters P."""
    epochs, parameters = float(epochs), float(parameters)
    found, most = [], known_epochs(law)
    if epochs > most:
        known = f"the law has seen up to {most:,.0f}"
        found.append(Outside("epochs", f"{epochs:,.0f} epochs", known, "its last rates are held"))
    if "parameters" in law.features:
        seen = law.domain[law.features.index("parameters")]
        if not seen.low / FAR <= parameters <= seen.high * FAR:
            known = f"the law has seen {seen.low:,.0f} to {seen.high:,.0f}"
            nearest = min(max(parameters, seen.low), seen.high)
            done = f"taken as {nearest:,.0f}"
            found.append(Outside("parameters", f"{parameters:,.0f} parameters", known, done))
    return tuple(found)


def outside_loss(law: Law, state: ClockState) -> tuple[Outside, ...]:
    """What is outside about the last epoch's loss: far above what the law has seen, or negative."""
    for name, unit, of in (("loss_ratio", " × the initial loss", state.initial_loss),
                           ("loss", " nats", 1.0)):  # fmt: skip
        if name in law.features:
            seen: Range = law.domain[law.features.index(name)]
            value = float(state.loss) / float(of)
            if value > FAR * seen.high or value < 0:
                known = f"the law has seen {seen.low:.2g} to {seen.high:.3g}"
                nearest = f"taken as {min(max(value, seen.low), seen.high):.3g}"
                return (Outside("loss", f"a loss of {value:.3g}{unit}", known, nearest),)
    return ()
