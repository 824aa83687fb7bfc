"""Laws and plain schedules that train beside each other in one compiled program a task.

The budget that a contestant assumes, and the budget it has, are numbers of its lane: the program is
the same for a law that assumes T/2, a schedule that ends at 3/4 T, and the runs that go on to 2 T.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.bench.baselines import SCHEDULES, plain_rates
from psi.bench.contest import SCORING_SEEDS as SCORING
from psi.fit.search.objective import charged, run_losses, scales_of
from psi.lab.engine.policy import Policy, measured_policy, one_of, sees_gradient, trajectory
from psi.lab.engine.population import MakePolicy
from psi.lab.engine.probe import initial_grad_norms
from psi.lab.tasks.task import Task
from psi.law.clock import Clock
from psi.law.features import Observation
from psi.law.law import Law

ASSUMED = (1.0, 0.5, 2.0)  # budgets that schedules and laws assume, in units of T
BUDGETS = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Budgets that the tuned linear schedule has, in units of T, to see which one matches a law."""
WIDTH = 3  # lanes trained together: few, as those of a law and of a long budget are padded to it
PLANNED = 0  # the policy of a lane whose rates are given


class Contestant(NamedTuple):
    """A law, or a schedule with its rates."""

    name: str
    rates: Float[np.ndarray, " epoch"]
    policy: int = PLANNED  # k + 1 for law number k
    assumed_budget: float = 1.0  # the budget that a law assumes, in units of T


Probe = Callable[[Task, Int[np.ndarray, " seed"], Key[Array, ""]], Float[np.ndarray, " seed"]]
"""(task, seeds, key) → a number of each run."""


class Cohort(NamedTuple):
    """Contestants that train on one task for one budget."""

    task: Task
    contestants: Sequence[Contestant]
    probe: Probe | None = None  # what of each run is measured for its laws


class ContestantLane(NamedTuple):
    """A contestant in numbers, and its run's α_0 or ‖g_0‖. Axes of seeds and lanes in front."""

    rates: Any
    policy: Any
    scale: Any
    assumed_budget: Any


def policies(laws: Sequence[Law]) -> MakePolicy:
    """Each lane's policy: one of several laws, or rates that are given.

    One object is part of one compiled program.
    """
    clocks = [Clock(law, 1) for law in laws]

    def policy(lane: ContestantLane) -> Policy:
        ruled = (measured_policy(clock, lane.scale) for clock in clocks)
        chosen = one_of([trajectory(lane.rates), *ruled], lane.policy)

        def step(state: Any, seen: Observation) -> tuple[Any, Array]:
            return chosen.step(state, seen._replace(budget=lane.assumed_budget * seen.budget))

        return chosen._replace(step=step)

    return policy


def cohorts(
    task: Task,
    tuned: Mapping[str, float],
    laws: Sequence[tuple[str, Law]],
    single: Mapping[str, float],
) -> list[Cohort]:
    """All methods on a task, by how long they train; a probe's cost is off a law's budget."""
    epochs = task.facts.epochs

    def planned(name: str, schedule: str, peak: float, budget: int, assumed: float) -> Contestant:
        return Contestant(name, peak * plain_rates(schedule, budget, assumed))

    def over(times: float) -> Contestant:
        budget = round(times * epochs)
        return planned(budget_name(times), "linear", tuned["linear"], budget, 1.0)

    plans = [
        planned(f"{name}, tuned{_assuming(assumed)}", name, tuned[name], epochs, assumed)
        for name in SCHEDULES
        for assumed in (ASSUMED if name != "constant" else ASSUMED[:1])
    ]
    plans += [
        planned(f"{name}, single rate", name, single[name], epochs, 1.0) for name in SCHEDULES
    ]
    ruled = [
        (law, Contestant(f"{name}{_assuming(assumed)}", np.zeros(0), number, assumed))
        for number, (name, law) in enumerate(laws, PLANNED + 1)
        for assumed in ASSUMED
    ]
    plans += [over(times) for times in BUDGETS if times < 1]
    plans += [each for law, each in ruled if law.scale is None]
    probed = [each for law, each in ruled if law.scale is not None]
    longest = task._replace(facts=replace(task.facts, epochs=round(BUDGETS[-1] * epochs)))
    seen = initial_grad_norms if any(sees_gradient(law) for _, law in laws) else None
    return [
        Cohort(task, plans, seen),
        Cohort(charged(task), probed, scales_of),
        Cohort(longest, [over(times) for times in BUDGETS if times > 1]),
    ]


def cohort_losses(
    cohort: Cohort, policy: MakePolicy, longest: int, key: Key[Array, ""]
) -> Float[np.ndarray, "contestant seed"]:
    """Final losses of a cohort's contestants; `policy` is `policies` of the laws.

    Rates are padded with zeros to `longest` epochs: past its plan's end a run stays as it is.
    """
    ones = np.ones(len(SCORING))
    scale = cohort.probe(cohort.task, SCORING, key) if cohort.probe else ones
    count = len(cohort.contestants)
    blocks = -(-count // WIDTH)
    chosen = [cohort.contestants[min(k, count - 1)] for k in range(blocks * WIDTH)]

    def each(values: Sequence[Any], dtype: type) -> np.ndarray:
        lanes = np.array(values, dtype)
        return np.broadcast_to(lanes, (len(SCORING), *lanes.shape))

    lanes = ContestantLane(
        each([np.pad(c.rates, (0, longest - len(c.rates))) for c in chosen], np.float32),
        each([c.policy for c in chosen], np.int32),
        np.broadcast_to(scale.astype(np.float32)[:, None], (len(SCORING), len(chosen))),
        each([c.assumed_budget for c in chosen], np.float32),
    )
    losses = run_losses(cohort.task, policy, lanes, blocks, SCORING, key)
    return losses[:, :count].T


def budget_name(times: float) -> str:
    """What the tuned linear schedule over so many times T is called."""
    return "linear, tuned" if times == 1 else f"linear, tuned, over {times:g} T"


def _assuming(budget: float) -> str:
    return "" if budget == 1 else f", assuming {budget:g} T"
