"""A fitted scale as a law: α = scale(facts) · shape(i/T) of the schedule that it was fitted on."""

import numpy as np
import pandas as pd

from psi.fit.formula.formula import candidate
from psi.fit.scale.facts import MOST, FactSet
from psi.fit.scale.left_out import Interval
from psi.fit.scale.linear import Candidate, Fit
from psi.fit.scale.tuned import Target, TunedTasks
from psi.fit.scale.typical import typical
from psi.lab.data.trajectories import PLAIN
from psi.law.expression import Expression
from psi.law.law import FittedConstant, Law, Range, Score
from psi.law.parsing import parse

SHAPES = {
    "constant": "",
    "linear": "*(1 - progress)",
    "cosine": "*(1 + cos(3.141592653589793*progress))/2",
}


def template(facts: FactSet, schedule: str) -> str:
    """The formula of a set of facts on a schedule, its constants by the names of its columns.

    Example:
        >>> template(FactSet("", ("batch", "stream"), ("batch",)), "linear")
        'rate*batch^(of_batch + of_batch_stream*stream)*exp(of_stream*stream)*(1 - progress)'
    """
    text = "rate"
    for name in facts.facts:
        if name == "stream":
            text += "*exp(of_stream*stream)"
        elif name in facts.by_stream:
            text += f"*{name}^(of_{name} + of_{name}_stream*stream)"
        else:
            text += f"*{name}^of_{name}"
    return text + SHAPES[schedule]


def seen(facts: FactSet, schedule: str) -> tuple[str, ...]:
    """The features of a law: i/T is none of a constant rate of facts, whose runs need no budget."""
    ends = () if schedule == "constant" and facts.facts else ("progress",)
    return (*facts.facts, *ends)


def formula(fit: Fit, schedule: str) -> Expression:
    """The fit's formula with its numbers in place."""
    names = ["rate", *(f"of_{name.replace('*', '_')}" for name in fit.facts.columns)]
    values = dict(zip(names, [float(np.exp(fit.intercept)), *fit.exponents], strict=True))
    made = candidate(parse(template(fit.facts, schedule)), seen(fit.facts, schedule), values)
    return made.formula.bound(made.start)


def scale_law(
    fit: Fit,
    chosen: Candidate,
    tasks: TunedTasks,
    optimizer: str,
    target: Target,
    exponents: pd.DataFrame | None = None,
    regret: Interval | None = None,
) -> Law:
    """The law of a fit, with the range of every fact that it has seen.

    Args:
        fit: the power law of facts.
        chosen: what was chosen, for its schedule.
        tasks: what it was fitted to.
        optimizer: of the tasks.
        target: which loss its rate is best for.
        exponents: its constants with intervals, of `psi.fit.scale.exponents`.
        regret: on left-out domains, which becomes three scores.

    Returns:
        The law.

    Raises:
        ValueError: it has more than 14 constants, or a fact is no feature of laws.
    """
    if fit.facts.constants > MOST:
        raise ValueError(f"a law has at most {MOST} constants, got {fit.facts.constants}")
    best = np.exp(tasks.best[chosen.schedule].log_rate)
    last = 1 - 1 / float(tasks.facts["budget"].max())
    end = float(dict(PLAIN)[chosen.schedule](np.array(last)))
    ranges = [
        Range(float(tasks.facts[name].min()), float(tasks.facts[name].max()))
        for name in fit.facts.facts
    ]
    features = seen(fit.facts, chosen.schedule)
    made = [] if exponents is None else exponents.to_dict("records")
    figures = {} if regret is None else regret._asdict()
    usual = typical(tasks)
    powers = tuple(name for name in fit.facts.facts if name != "stream")
    return Law(
        model=formula(fit, chosen.schedule),
        features=features,
        domain=(*ranges, Range(0.0, last))[: len(features)],
        rates=Range(float(best.min()) * end, float(best.max())),
        optimizer=optimizer,
        initial_loss=float(tasks.facts["chance_loss"].median()),
        constants=tuple(FittedConstant(**{str(k): v for k, v in row.items()}) for row in made),
        scores=tuple(Score(f"regret on left-out domains, {n}", v) for n, v in figures.items()),
        target=target,
        extrapolates=powers,
        typical=tuple(usual[name] for name in fit.facts.facts),
    )
