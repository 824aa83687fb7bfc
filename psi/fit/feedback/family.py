"""A family of laws: a scale of facts, a shape, and a feedback whose weights a search moves.

    α_i = scale(facts) · e^level · (T/20)^of_budget · (1 − t)^power · exp(u_i),    t = i/T
    u_i = clip((1 − leak) u_{i−1} + (T/20)^pace · Σ_k (w_k + s_k · stream) φ_k, CAPS)

or, where the scale does not see T, for runs whose end nobody knows,

    α_i = scale(facts) · e^level · (1 + i/20)^(−decay) · exp(u_i),    without the pace in u_i

over inputs φ_k of what a clock remembers of the losses. Both are formulas with named constants, so
that what is searched, a law of the family and its text are one thing. All φ_k of a validation loss
are 0 where none is known: then u stays 0, and what is left is scale and shape.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Array, Float

from psi.fit.formula.formula import Candidate, candidate
from psi.lab.engine.policy import Policy, clock_policy
from psi.law.checks import unknown
from psi.law.clock import Clock
from psi.law.feedback import Feedback
from psi.law.law import Law, Range
from psi.law.namespace import Namespace
from psi.law.network import Network
from psi.law.parsing import parse
from psi.law.printing import text

USUAL = 20
"""T of a usual run, by which the budget is divided."""
CAPS = Range(-6.0, 3.0)
"""Of u: without them one run in many runs away."""
SHARP = 20
"""Times a logarithm before its tanh: losses live within some hundredths of their best."""
SHORT = {"v": "val", "l": "loss"}
INPUTS: Mapping[str, str] = {
    f"{short}_{name}": formula.format(loss)
    for short, loss in SHORT.items()
    for name, formula in (
        ("above", f"tanh({SHARP}*{{}}_excess)"),
        ("step", f"tanh({SHARP}*{{}}_progress)"),
        ("trend", f"tanh({SHARP}*{{}}_trend)"),
        ("stalled", "{}_stalled"),
        ("since", "tanh({}_since_best/5)"),
    )
} | {"gap": "val_gap", "v_known": "val_known", "v_late": "val_known*progress"}
"""φ_k by name, as text."""
OF_VALIDATION = ("v_known", "v_late", "v_above", "v_step", "v_trend", "v_stalled", "v_since")
WITHOUT_BUDGET = tuple(name for name in OF_VALIDATION if name != "v_late")
OF_TRAINING = ("l_above", "l_step", "l_trend", "l_stalled", "l_since")
RANGES: Mapping[str, Range] = {
    "excess": Range(0.0, 10.0),
    "progress": Range(-1.0, 1.0),
    "trend": Range(-1.0, 1.0),
    "stalled": Range(0.0, 1.0),
    "since_best": Range(0.0, 1e4),
    "gap": Range(-1.0, 1.0),
    "known": Range(0.0, 1.0),
}
"""Of a feature of the memory, by the end of its name."""
ENDINGS = ("*(1.0 - progress)", "*(1.0 + cos(3.141592653589793*progress))/2.0", "")
"""Of the formula of a scale: its shape, for which the family has its own."""
NUMBER = re.compile(r"[0-9.e+-]+")
EPOCHS = Range(0.0, 99.0)
"""i of the longest runs of an atlas: beyond it a decay stays where it is."""
LEAST, MOST = 1e-9, 1e4
"""Rates of laws that are searched: none is clipped to what the base has seen."""
SPREADS: Mapping[str, float] = {
    "level": 0.3, "of_budget": 0.2, "power": 0.2, "decay": 0.2, "pace": 0.2, "leak": 0.03,
}  # fmt: skip
WEIGHT = 0.1
"""How far a search looks at first along a constant: its standard deviation, and a weight's."""
LIMITS: Mapping[str, Range] = {
    "leak": Range(0.0, 0.5), "power": Range(0.0, 4.0), "decay": Range(0.0, 4.0),
}  # fmt: skip
SHAPES: Mapping[bool, tuple[str, Mapping[str, float]]] = {
    True: (f"(budget/{USUAL})^of_budget*(1 - progress)^power", {"of_budget": 0.0, "power": 1.0}),
    False: (f"(1 + epoch/{USUAL})^(-decay)", {"decay": 0.0}),
}
"""By whether T is known: what is between the scale and the feedback, and where it begins."""


def check_inputs(names: Sequence[str], budget: bool = True) -> None:
    """Raise ValueError for a name that is none of INPUTS, or that needs T where there is none."""
    for name in names:
        if name not in INPUTS:
            raise ValueError(unknown("input", name, INPUTS))
        if not budget and "*progress" in INPUTS[name]:
            raise ValueError(f"without T there is no {name}: it is {INPUTS[name]}")


@dataclass(frozen=True)
class Family:
    """Laws around a law of facts.

    Args:
        base: a law of facts; one that sees T ends in a linear or cosine shape, one that does not
            sees no i/T either, and its runs may end whenever they will.
        inputs: names of INPUTS; none: laws without a feedback.

    Raises:
        ValueError: an input is unknown, or the base is no such law.
    """

    base: Law
    inputs: tuple[str, ...] = OF_VALIDATION

    def __post_init__(self) -> None:
        sees = {*self.base.features}
        if "stream" not in sees or ("budget" in sees) != ("progress" in sees) or not self._scale():
            rule = "the base must be a formula of facts, stream among them, times a shape"
            raise ValueError(f"{rule}, of i/T if T is a fact; got {self.base}")
        check_inputs(self.inputs, self.knows_budget)

    @property
    def knows_budget(self) -> bool:
        """Whether its laws see T."""
        return "budget" in self.base.features

    @property
    def shape(self) -> tuple[str, ...]:
        """Names of the constants of level and shape."""
        return ("level", *SHAPES[self.knows_budget][1])

    def _scale(self) -> tuple[float, str] | None:
        """The number and the powers of the base's formula, which make its scale."""
        if isinstance(self.base.model, Network):
            return None
        whole = text(self.base.model)
        ends = [end for end in ENDINGS if whole.endswith(end) and bool(end) == self.knows_budget]
        found = [whole.removesuffix(end) for end in ends]
        number, _, powers = found[0].partition("*") if found else ("", "", "")
        return (float(number), powers) if NUMBER.fullmatch(number) and powers else None

    @property
    def rate(self) -> Candidate:
        """Ψ with its free constants."""
        number, powers = self._scale() or (1.0, "")
        shape, begin = SHAPES[self.knows_budget]
        words = f"{number!r}*exp(level)*{powers}*{shape}" + (
            "*exp(feedback)" if self.inputs else ""
        )
        return candidate(parse(words), self.features, {"level": 0.0, **begin})

    @property
    def change(self) -> Candidate | None:
        """The change of u with its free constants; None without inputs."""
        if not self.inputs:
            return None
        terms = [f"({name} + {name}_stream*stream)*{INPUTS[name]}" for name in self.inputs]
        pace = f"(budget/{USUAL})^pace*" if self.knows_budget else ""
        words = f"{pace}({' + '.join(terms)}) - leak*feedback"
        names = [*self.inputs, *(f"{name}_stream" for name in self.inputs)]
        names += ["pace"] if self.knows_budget else []
        start = dict.fromkeys(names, 0.0) | {"leak": 0.02}
        return candidate(parse(words), self.features, start)

    @property
    def statistics(self) -> bool:
        """Laws see no norms of gradients and updates."""
        return False

    @property
    def words(self) -> list[str]:
        """Its formulas."""
        return [text(each.formula.tree) for each in (self.rate, self.change) if each]

    @property
    def features(self) -> tuple[str, ...]:
        """What its laws see."""
        used = " ".join(INPUTS[name] for name in self.inputs)
        seen = [f"{loss}_{end}" for loss in SHORT.values() for end in RANGES]
        memory = [name for name in seen if name in used]
        epoch = [] if self.knows_budget else ["epoch"]
        return (*self.base.features, *epoch, *memory, *(["feedback"] if self.inputs else []))

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of what a search moves, in order."""
        change = self.change.formula.names if self.change else ()
        return (*self.rate.formula.names, *change)

    @property
    def start(self) -> Float[np.ndarray, " constant"]:
        """The constants of the base with a shape of the family's, and no feedback."""
        return np.concatenate([self.rate.start, self.change.start if self.change else []])

    @property
    def spreads(self) -> Float[np.ndarray, " constant"]:
        """How far a search looks at first along each constant."""
        return np.array([SPREADS.get(name, WEIGHT) for name in self.constants])

    def within(self, constants: Float[np.ndarray, "*lane constant"]) -> np.ndarray:
        """The constants, those that have limits within them."""
        ends = [LIMITS.get(name, Range(-np.inf, np.inf)) for name in self.constants]
        low, high = np.array(ends).T
        return np.clip(constants, low, high)

    def law(self, constants: Float[np.ndarray, " constant"]) -> Law:
        """The law of these constants: numbers in one place, inputs of no weight left out."""
        named = dict(zip(self.constants, map(float, constants), strict=True))
        used = tuple(n for n in self.inputs if named[n] or named[f"{n}_stream"])
        if used != self.inputs:
            less = replace(self, inputs=used)
            return less.law(np.array([named[name] for name in less.constants]))
        number, powers = self._scale() or (1.0, "")
        number *= math.exp(named["level"])
        if self.knows_budget:
            number *= USUAL ** -named["of_budget"]
            shape = "*".join([
                *([f"budget^({named['of_budget']!r})"] if named["of_budget"] else []),
                "(1 - progress)" + (f"^{named['power']!r}" if named["power"] != 1 else ""),
            ])  # fmt: skip
        else:
            shape = f"(1 + epoch/{USUAL})^({-named['decay']!r})"
        words = f"{number!r}*{powers}*{shape}" + ("*exp(feedback)" if self.inputs else "")
        # Wide enough for another level and shape too: what was judged was not clipped.
        low, high = (r * math.exp(u) for r, u in zip(self.base.rates, CAPS, strict=True))
        rule = self._rule(named) if self.inputs else None
        made = replace(self.template, model=parse(words), feedback=rule, rates=Range(low, high))
        # The facts' constants are its own where it is they that multiply, with nothing beside.
        own = self.knows_budget and not (named["level"] or named["of_budget"])
        return replace(made, constants=self.base.constants) if own else made

    def _rule(self, named: Mapping[str, float]) -> Feedback:
        """The feedback with numbers for its weights, its leak in what it keeps."""
        terms = []
        for name in self.inputs:
            own, more = named[name], named[f"{name}_stream"]
            sign = "-" if more < 0 else "+"
            weight = f"({own!r} {sign} {abs(more)!r}*stream)" if more else f"({own!r})"
            terms.append(f"{weight}*{INPUTS[name]}")
        pace = f"(budget/{USUAL})^({named['pace']!r})*" if self.knows_budget else ""
        words = f"{pace}({' + '.join(terms)})"
        return Feedback(1.0 - named["leak"], parse(words))

    def policy(self) -> Callable[[Array], Policy]:
        """What makes the constants of a lane its policy; the same object for the same family.

        It is part of a program's key, so that all searches in a family share their programs.
        """
        return _policy(self)

    @property
    def template(self) -> Law:
        """A law that has all but the formulas."""
        known = dict(zip(self.base.features, self.base.domain, strict=True))
        known |= {"feedback": CAPS, "epoch": EPOCHS}
        domain = tuple(known.get(name) or RANGES[name.split("_", 1)[1]] for name in self.features)
        return replace(
            self.base,
            model=parse("exp(feedback)" if self.inputs else "1"),
            features=self.features,
            domain=domain,
            rates=Range(LEAST, MOST),
            feedback=Feedback(1.0, parse("0")) if self.inputs else None,
            target="validation",
            constants=(), scores=(), provenance=None,
        )  # fmt: skip


@cache
def _policy(family: Family) -> Callable[[Array], Policy]:
    budget = USUAL if family.knows_budget else None
    clock = Clock(family.template, budget, min_lr=LEAST, max_lr=MOST)
    rate, change = family.rate.formula, family.change
    count, features = len(rate.names), family.features

    def make(constants: Array) -> Policy:
        def psi(values: Array, xp: Namespace) -> Array:
            return xp.asarray(rate.value(features, values, constants[:count], xp))

        if change is None:
            return clock_policy(clock, psi)

        rule = change.formula

        def step(values: Array, xp: Namespace) -> Array:
            return xp.asarray(rule.value(features, values, constants[count:], xp))

        return clock_policy(clock, psi, step)

    return make
