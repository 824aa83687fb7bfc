"""Where a run lies outside of what its law has seen.

There the clock holds each feature at the edge of the law's domain, so the rate is that of the
nearest run the law knows, or goes on as a power of the fact where the law is one. Nobody should
learn that from a spoilt training: adapters say it once a run, or refuse such a run when they are
`strict`. So they do of facts that the law sees and nobody gave.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from psi.law.clock import ClockState
from psi.law.evaluation import stand_in
from psi.law.law import Law, Range
from psi.law.namespace import Array

FAR = 1.5  # a loss this many times above the domain is no noise, nor is a P a little beside it
UNITS = {
    "parameters": "parameters", "budget": "epochs", "batch": "rows a batch",
    "steps": "steps an epoch", "rows": "training rows",
    "chance_loss": "nats of chance loss", "classes": "classes", "weight_rms": "RMS of the weights",
    "initial_grad_norm": "of the first gradient's norm",
}  # fmt: skip
"""What follows the number of a fact."""


class Outside(NamedTuple):
    """One thing of a run that its law has not seen."""

    what: str
    """`epochs`, `loss`, `optimizer` or the name of a fact"""
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


def outside_run(law: Law, facts: Mapping[str, Array]) -> tuple[Outside, ...]:
    """What is outside before the first epoch: the budget T, and facts that the law sees.

    Args:
        law: the law of the run.
        facts: `budget` and others, as in a `ClockState`. What is absent is not looked at; what is
            NaN is not known.
    """
    found, most = [], known_epochs(law)
    if "budget" not in law.features and (epochs := float(facts["budget"])) > most:
        known = f"the law has seen up to {most:,.0f}"
        found.append(Outside("epochs", f"{epochs:,.0f} epochs", known, "its last rates are held"))
    for name, seen in zip(law.features, law.domain, strict=True):
        if name in law.facts and name in facts:
            found += _outside_fact(law, name, float(facts[name]), seen)
    return tuple(found)


def _outside_fact(law: Law, name: str, value: float, seen: Range) -> list[Outside]:
    # As in `psi_of`: of all facts only `stream` may be 0.
    if not (value >= 0 if name == "stream" else value > 0):
        field = "steps_per_epoch" if name == "steps" else name
        known, taken = f"psi.Facts({field}=…) says it", f"taken as {_number(stand_in(law, name))}"
        what = f"{name} not known" if math.isnan(value) else f"{name} of {value:g}"
        return [Outside(name, what, known, taken)]
    if seen.low / FAR <= value <= seen.high * FAR:
        return []
    goes_on = "the power law goes on" if name in law.extrapolates else ""
    if name == "stream":
        kinds = ("a stream", "fixed rows")[:: 1 if value else -1]
        known, taken = f"the law has seen {kinds[1]} alone", f"taken as {kinds[1]}"
        return [Outside(name, kinds[0], known, goes_on or taken)]
    known = f"the law has seen {_number(seen.low)} to {_number(seen.high)}"
    nearest = f"taken as {_number(min(max(value, seen.low), seen.high))}"
    return [Outside(name, f"{_number(value)} {UNITS[name]}", known, goes_on or nearest)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"


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
