"""Feedback: how a law answers what a run has shown so far, by a leaky sum of a declared function.

    u_0 = 0,  u_i = clip(keep · u_{i−1} + change(features before epoch i), caps),  α_i ∝ exp(u_i)

Integral action: u rises while the change is positive, while the validation loss improves say, and
falls where it is negative. The caps are the domain of the feature `feedback`, without which one run
in many runs away.
"""

from typing import NamedTuple

from psi.law.expression import Apply, Constant, Expression, Variable, check, evaluate
from psi.law.namespace import Array, Namespace


class Feedback(NamedTuple):
    """The rule by which u_i follows from u_{i−1}."""

    keep: float
    """Share of u that stays from one epoch to the next, in [0, 1]."""
    change: Expression
    """What is added [nats]; a formula of the law's features, of which `feedback` is u_{i−1}."""

    def __call__(self, names: tuple[str, ...], features: Array, xp: Namespace) -> Array:
        """The change at features of these names, of shape=(len(names), …)."""
        return xp.asarray(evaluate(self.change, names, features, xp), dtype=float)


def recursion(feedback: Feedback, caps: tuple[float, float]) -> Expression:
    """u_i as a formula of the features, of which `feedback` is u_{i−1}."""
    kept = Apply("mul", (Constant(feedback.keep), Variable("feedback")))
    summed = Apply("add", (kept, feedback.change))
    held = Apply("max", (summed, Constant(caps[0])))
    return Apply("min", (held, Constant(caps[1])))


def check_feedback(
    feedback: Feedback | None, names: tuple[str, ...], caps: tuple[float, float] | None
) -> None:
    """Raise ValueError unless a law declares a rule of feedback and sees it, or neither.

    `caps` is the domain of the feature `feedback`, None where the law does not see it.
    """
    if (feedback is None) != (caps is None):
        raise ValueError("a law that sees feedback declares its rule, and no other law does")
    if feedback is None or caps is None:
        return
    if not 0 <= feedback.keep <= 1:
        raise ValueError(f"keep of a feedback must be in [0, 1], got {feedback.keep}")
    if not caps[0] <= 0 <= caps[1]:
        raise ValueError(f"domain of feedback must hold 0, got {list(caps)}")
    check(feedback.change, names)
