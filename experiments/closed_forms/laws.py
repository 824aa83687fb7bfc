"""From the winner of a search to a law file: domain, rates, constants with intervals, origin."""

import hashlib
import json
from importlib.metadata import version

import numpy as np
from jaxtyping import Float

from experiments.closed_forms.compute import (
    SAME,
    Data,
    StudyConfig,
    content,
    domain_of,
)
from psi.fit.formula.families import SIZED, Family, family
from psi.fit.formula.formula import Candidate, Formula, Parameter
from psi.fit.search.arena import Arena
from psi.fit.search.finalists import Finalist, intervals, rates_over
from psi.law.expression import Apply
from psi.law.law import FittedConstant, Law, Provenance, Range, Score
from psi.law.parsing import parse

WARMUP = "*warmup"
PACKAGES = ("numpy", "scipy", "jax", "optax", "evosax", "optimistix", "pyoperon")
COMMAND = "python -m experiments.closed_forms.main --ship"


def law_of(config: StudyConfig, data: Data, arena: Arena, winner: Finalist, scaled: bool) -> Law:
    """The law of a candidate, without its scores on held-out tasks."""
    domain = domain_of(data)
    ideal = data.ideal
    candidate = tidied(winner.candidate._replace(start=winner.found), domain)
    return Law(
        model=candidate.formula.bound(candidate.start),
        features=SIZED,
        domain=domain,
        rates=rates_over(winner.candidate.formula, winner.found, SIZED, domain),
        optimizer=str(data.tasks[0].facts.optimizer),
        initial_loss=float(ideal.groupby("task").initial_loss.median().median()),
        constants=_constants(arena, winner, domain),
        scores=(
            Score("regret on the training tasks, fitted to ideal rates", winner.fitted),
            Score("regret on the training tasks, polished", winner.polished),
        ),
        provenance=_provenance(config, data),
        scale=float(ideal.groupby("task")["scale"].first().median()) if scaled else None,
    )


def tidied(candidate: Candidate, domain: tuple[Range, ...]) -> Candidate:
    """The same rates within the domain, without the part of a warm-up that is not in it.

    One over w that does not end there is a rise, a min(1, 0.1 + 0.9 t/w) = 0.1 a (1 + t/d) with
    d = w/9; where that rises by less than SAME nats it is left out.
    """
    found = candidate.start
    if not candidate.name.endswith(WARMUP) or np.exp(found[-1]) <= domain[1].high:
        return candidate
    moved = np.r_[found[0] + np.log(0.1), found[1:-1]]
    shorter = of_family(family(candidate.name.removesuffix(WARMUP), SIZED), moved)
    d = found[-1] - np.log(9)
    if np.log1p(domain[1].high / np.exp(d)) < SAME:
        return shorter
    tree = Apply("mul", (shorter.formula.tree, parse("1 + progress/d")))
    formula = Formula(tree, (*shorter.formula.parameters, Parameter("d", True, "time")))
    return Candidate(formula, np.r_[moved, d], f"{shorter.name}*rise")


def of_family(of: Family, found: Float[np.ndarray, " constant"]) -> Candidate:
    """A family with constants as they are searched."""
    return Candidate(of.formula, found, of.name)


def _constants(
    arena: Arena, winner: Finalist, domain: tuple[Range, ...]
) -> tuple[FittedConstant, ...]:
    low, high = intervals(arena, winner)
    candidate = tidied(winner.candidate._replace(start=winner.found), domain)
    # Tidying only shifts what is searched: ends of intervals go with their constants.
    count = len(candidate.start)
    shift = candidate.start - winner.found[:count]
    every = (candidate.start, *(end[:count] + shift for end in (low, high)))
    rows = (candidate.formula.constants(each) for each in every)
    return tuple(
        FittedConstant(name, float(value), float(a), float(b))
        for name, value, a, b in zip(candidate.formula.names, *rows, strict=True)
    )


def _provenance(config: StudyConfig, data: Data) -> Provenance:
    table = data.ideal.drop(columns=["sure"]).to_csv(index=False).encode()
    return Provenance(
        hashlib.sha256(table).hexdigest(),
        hashlib.sha256(json.dumps(content(config), sort_keys=True).encode()).hexdigest(),
        tuple(f"{name}=={version(name)}" for name in PACKAGES),
        COMMAND,
    )
