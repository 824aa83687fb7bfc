"""The losses that a law's trainings end at: the objective of a search over laws.

The regret of a law on a training task is the score of its mean final loss over seeds, minus the
score of the task's tuned linear schedule.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.fit.formula.formula import Formula
from psi.ideal.branched import final_losses
from psi.ideal.returns import score
from psi.lab.engine.branch import States, one_cell_each, play, starts
from psi.lab.engine.devices import beside
from psi.lab.engine.policy import Policy, clock_policy
from psi.lab.engine.population import MakePolicy
from psi.lab.engine.probe import GRADIENTS, probed_scale
from psi.lab.tasks.task import Task
from psi.law.clock import Clock
from psi.law.namespace import Namespace
from psi.progress import Report, silent

WIDTH = 12  # lanes trained together: the population of the closed forms' search


class TrainingTask(NamedTuple):
    """A task that laws are searched on."""

    task: Task
    reference: float
    """Score of the tuned linear schedule."""
    key: Key[Array, ""]
    """The root of its runs' keys."""


class Lane(NamedTuple):
    """One law of a population. An axis of lanes in front where they are many."""

    number: Any
    """Which of the searched formulas; dtype=int"""
    vector: Any
    """Its numbers, padded to those of the longest."""
    scale: Any
    """α_0 of its run."""


class Population(NamedTuple):
    """Laws of several formulas, so that one program trains them all."""

    number: Int[np.ndarray, " lane"]
    vector: Float[np.ndarray, "lane dim"]


def searched_policy(formulas: Sequence[Formula], clock: Clock) -> MakePolicy:
    """Lanes as policies under the clock's rules; the clock's law gives all but Ψ itself.

    Each call returns an object that programs are compiled for anew: call it once a search.
    """

    def policy(lane: Lane) -> Policy:
        def psi(values: Array, xp: Namespace) -> Array:
            # A vmapped lane computes all formulas: a few numbers beside a network's training.
            branches = [partial(_rate, each, clock.law.features, xp) for each in formulas]
            return jax.lax.switch(lane.number, branches, lane.vector, values)

        return clock_policy(clock.at_scale(lane.scale), psi)

    return policy


def _rate(
    formula: Formula, features: tuple[str, ...], xp: Namespace, vector: Array, values: Array
) -> Array:
    """Ψ with the constants that are the first numbers of `vector`, as they are searched."""
    rate = formula.value(features, values, vector[: len(formula.parameters)], xp)
    return xp.asarray(rate, dtype=values.dtype)


def law_losses(
    task: Task,
    policy: MakePolicy,
    laws: Population,
    scales: Float[np.ndarray, " seed"],
    seeds: Int[np.ndarray, " seed"],
    key: Key[Array, ""],
) -> Float[np.ndarray, "seed lane"]:
    """Final validation losses, capped, of every law of a population from every seed.

    Lanes are cut into blocks of one width, the last one padded, so that one program serves all.
    """
    blocks = -(-len(laws.number) // WIDTH)
    lane = np.minimum(np.arange(blocks * WIDTH), len(laws.number) - 1)
    shape = (len(seeds), len(lane))
    lanes = Lane(
        np.broadcast_to(laws.number[lane].astype(np.int32), shape),
        np.broadcast_to(laws.vector[lane].astype(np.float32), (*shape, laws.vector.shape[1])),
        np.broadcast_to(scales.astype(np.float32)[:, None], shape),
    )
    return run_losses(task, policy, lanes, blocks, seeds, key)[:, : len(laws.number)]


def run_losses(
    task: Task,
    policy: MakePolicy,
    lanes: Any,
    blocks: int,
    seeds: Int[np.ndarray, " seed"],
    key: Key[Array, ""],
) -> Float[np.ndarray, "seed lane"]:
    """Final validation losses, capped, of lanes that differ from seed to seed.

    `lanes` is a pytree of shape=(seed, lane, …), trained in so many blocks of equal width.
    """
    seed = np.arange(len(seeds)).repeat(blocks)
    cut = jax.tree.map(lambda a: a.reshape(len(seed), -1, *a.shape[2:]), lanes)
    first = one_cell_each(starts(task, seeds, key))
    states = States(jax.tree.map(lambda a: a[seed], first.runs), first.epoch[seed])
    loss = play(task, states, policy, cut, np.full(len(seed), task.facts.epochs)).loss
    return final_losses(task, loss).reshape(len(seeds), -1)


def regrets(
    tasks: Sequence[TrainingTask],
    policy: MakePolicy,
    laws: Population,
    scaled: bool,
    seeds: Int[np.ndarray, " seed"],
    report: Report = silent,
) -> Float[np.ndarray, "task lane"]:
    """Regret of each law of a population on each task, over seeds that all share.

    With `scaled` each run has the α_0 of its own probe, and pays for it.
    """

    def regret(each: TrainingTask) -> Float[np.ndarray, " lane"]:
        task = charged(each.task) if scaled else each.task
        scales = scales_of(task, seeds, each.key) if scaled else np.ones(len(seeds))
        mean = law_losses(task, policy, laws, scales, seeds, each.key).mean(0)
        return score(mean, task.facts.floor, task.facts.chance_loss) - each.reference

    found = []
    for done, one in enumerate(beside(regret, tasks)):
        report(done + 1, len(tasks), tasks[done].task.name)
        found.append(one)
    return np.stack(found)


def charged(task: Task) -> Task:
    """The task with the epochs of its budget that are left after the probe."""
    spent = -(-GRADIENTS // task.facts.steps)
    return task._replace(facts=replace(task.facts, epochs=max(task.facts.epochs - spent, 1)))


def scales_of(
    task: Task, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]
) -> Float[np.ndarray, " seed"]:
    """The probed α_0 of each run; where a probe finds none, the median of the others."""
    found = probed_scale(task, seeds, key)
    return np.where(np.isfinite(found), found, np.nanmedian(found))
