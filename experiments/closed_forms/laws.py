"""From the winner of a search to a law file: domain, rates, constants with intervals, origin."""

import hashlib
import json
from importlib.metadata import version

import numpy as np

from experiments.closed_forms.compute import Candidate, Data, StudyConfig, content, domain_of
from psi.fit.families import RELATIVE, values
from psi.fit.kinds import Arena
from psi.fit.surrogate import scattered, task_intervals
from psi.law.expression import evaluate
from psi.law.law import Constant, Law, Provenance, Range, Score

SCATTERED = 64
SPREAD = 0.15
SEEDS = np.arange(4000, 4016)
GRID = 64
PACKAGES = ("numpy", "scipy", "jax", "optax", "evosax", "optimistix", "pyoperon")
COMMAND = "python -m experiments.closed_forms.main --ship"


def law_of(config: StudyConfig, data: Data, place: Arena, winner: Candidate, scaled: bool) -> Law:
    """The law of a candidate, without its scores on held-out tasks."""
    domain = domain_of(data)
    ideal = data.ideal
    return Law(
        model=winner.kind.formula(winner.found),
        features=RELATIVE,
        domain=domain,
        rates=_rates(winner, domain),
        optimizer=str(data.tasks[0].facts.optimizer),
        initial_loss=float(ideal.groupby("task").initial_loss.median().median()),
        constants=_constants(place, winner),
        scores=(
            Score("regret on the training tasks, fitted to ideal rates", winner.fitted),
            Score("regret on the training tasks, polished", winner.polished),
        ),
        provenance=_provenance(config, data),
        scale=float(ideal.groupby("task")["scale"].first().median()) if scaled else None,
    )


def _rates(winner: Candidate, domain: tuple[Range, ...]) -> Range:
    """All that Ψ can be within its domain."""
    ends = [np.linspace(*each, GRID) for each in domain]
    grid = [axis.reshape(-1) for axis in np.meshgrid(*ends)]
    rate = np.broadcast_to(evaluate(winner.kind.formula(winner.found), RELATIVE, grid, np), GRID**2)
    return Range(float(rate.min()), float(rate.max()))


def _constants(place: Arena, winner: Candidate) -> tuple[Constant, ...]:
    lanes = scattered(winner.found, SCATTERED, SPREAD, seed=0)
    low, high = task_intervals(place.regrets([winner.number], [lanes], SEEDS), lanes)
    free = winner.kind.constants
    rows = (values(free, each, np) for each in (winner.found, low, high))
    return tuple(
        Constant(each.name, float(value), float(a), float(b))
        for each, value, a, b in zip(free, *rows, strict=True)
    )


def _provenance(config: StudyConfig, data: Data) -> Provenance:
    table = data.ideal.drop(columns=["sure"]).to_csv(index=False).encode()
    return Provenance(
        hashlib.sha256(table).hexdigest(),
        hashlib.sha256(json.dumps(content(config), sort_keys=True).encode()).hexdigest(),
        tuple(f"{name}=={version(name)}" for name in PACKAGES),
        COMMAND,
    )
