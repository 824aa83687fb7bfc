"""Laws and plain schedules as lanes that train beside each other: one compiled program a task.

What a lane is told of the budget, and the budget it has, are numbers of the lane: the program is
the same for a law told T/2, a schedule that ends at 3/4 T, and the runs that go on to 2 T.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from psi.bench.contest import SCORING_SEEDS as SCORING
from psi.fit.search.objective import charged, run_losses, scales_of
from psi.lab.data.trajectories import PLAIN
from psi.lab.engine.policy import Policy, clock_policy, trajectory
from psi.lab.engine.population import MakePolicy
from psi.lab.tasks.task import Task
from psi.law.clock import Clock
from psi.law.features import Observation
from psi.law.law import Law

TOLD = (1.0, 0.5, 2.0)
"""Times T: what schedules are told of the budget."""
BUDGETS = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Times T: what the tuned linear schedule is given, to see which budget matches a law."""
WIDTH = 3  # lanes trained together: few, as those of a law and of a long budget are padded to it
PLANNED = 0  # the number of a lane whose rates are given


class Entrant(NamedTuple):
    """A law, or a schedule with its rates, and what it is told of T, times T."""

    name: str
    rates: Float[np.ndarray, " epoch"]
    number: int = PLANNED
    """Of a law k, k + 1."""
    told: float = 1.0


class Group(NamedTuple):
    """Entrants that train for the task's budget."""

    task: Task
    entrants: Sequence[Entrant]
    probed: bool = False
    """Whether each run's α_0 is probed, for laws that are scale × shape."""


class Lane(NamedTuple):
    """An entrant in numbers, and its run's α_0. Axes of seeds and lanes in front of each."""

    rates: Any
    number: Any
    scale: Any
    told: Any


def contestants(laws: Sequence[Law]) -> MakePolicy:
    """Lanes under several laws or planned; one object is part of one compiled program."""
    clocks = [Clock(law, 1) for law in laws]

    def policy(lane: Lane) -> Policy:
        ruled = (clock_policy(clock.at_scale(lane.scale)) for clock in clocks)
        policies = [trajectory(lane.rates), *ruled]

        def step(last: Array, seen: Observation) -> tuple[Array, Array]:
            told = seen._replace(budget=lane.told * seen.budget)
            return jax.lax.switch(lane.number, [each.step for each in policies], last, told)

        return Policy(init=lambda _: jnp.asarray(1e-6, dtype=float), step=step)

    return policy


def groups(
    task: Task,
    tuned: Mapping[str, float],
    laws: Sequence[tuple[str, Law]],
    single: Mapping[str, float],
) -> list[Group]:
    """All methods on a task, by how long they train; a probe's cost is off a law's budget."""
    epochs = task.facts.epochs
    plans = [
        Entrant(f"{name}, tuned{_told(told)}", plan(name, tuned[name], epochs, told))
        for name, _ in PLAIN
        for told in (TOLD if name != "constant" else TOLD[:1])
    ]
    plans += [
        Entrant(f"{name}, single rate", plan(name, single[name], epochs, 1.0)) for name, _ in PLAIN
    ]

    def over(times: float) -> Entrant:
        peak = tuned["linear"]
        return Entrant(budget_name(times), plan("linear", peak, round(times * epochs), 1.0))

    ruled = [
        (law, Entrant(f"{name}{_told(told)}", np.zeros(0), number + 1, told))
        for number, (name, law) in enumerate(laws)
        for told in TOLD
    ]
    shorter, longer = ([b for b in BUDGETS if b < 1], [b for b in BUDGETS if b > 1])
    most = task._replace(facts=replace(task.facts, epochs=round(BUDGETS[-1] * epochs)))
    return [
        Group(
            task, [*plans, *map(over, shorter), *(each for law, each in ruled if law.scale is None)]
        ),
        Group(charged(task), [each for law, each in ruled if law.scale is not None], probed=True),
        Group(most, list(map(over, longer))),
    ]


def group_losses(
    group: Group, policy: MakePolicy, longest: int, key: Key[Array, ""]
) -> Float[np.ndarray, "entrant seed"]:
    """Final losses of a group's entrants; `policy` is `contestants`.

    Rates are padded with zeros to `longest` epochs: past its plan's end a run stays as it is.
    """
    ones = np.ones(len(SCORING))
    scale = scales_of(group.task, SCORING, key) if group.probed else ones
    blocks = -(-len(group.entrants) // WIDTH)
    chosen = [group.entrants[min(k, len(group.entrants) - 1)] for k in range(blocks * WIDTH)]

    def each(values: Sequence[Any], dtype: type) -> np.ndarray:
        lanes = np.array(values, dtype)
        return np.broadcast_to(lanes, (len(SCORING), *lanes.shape))

    lanes = Lane(
        each([np.pad(e.rates, (0, longest - len(e.rates))) for e in chosen], np.float32),
        each([e.number for e in chosen], np.int32),
        np.broadcast_to(scale.astype(np.float32)[:, None], (len(SCORING), len(chosen))),
        each([e.told for e in chosen], np.float32),
    )
    losses = run_losses(group.task, policy, lanes, blocks, SCORING, key)
    return losses[:, : len(group.entrants)].T


def plan(name: str, peak: float, epochs: int, told: float) -> Float[np.ndarray, " epoch"]:
    """A plain schedule that is told another budget; past its end it stays where it ended."""
    t = np.minimum(np.arange(epochs) / (told * epochs), 1.0)
    return peak * dict(PLAIN)[name](t)


def budget_name(times: float) -> str:
    """What the tuned linear schedule over so many times T is called."""
    return "linear, tuned" if times == 1 else f"linear, tuned, over {times:g} T"


def _told(told: float) -> str:
    return "" if told == 1 else f", told {told:g} T"
