"""Laws as schedules that need no tuning, on tasks that no fit has seen.

On every task the plain schedules are tuned (grid of ratio 1.5, extended until the best is inside,
seeds 0–4) and scored with the laws on seeds 100–109. Beside the tuned ones stand those at the best
*single* rate for all training tasks: what a user has without tuning. A law that is scale × shape
takes its α_0 from a probe of each run, and trains so many epochs less as the probe costs.

Regret is the score y = log(clip(L̄ − L*, 0, 2Δ) + 0.01 Δ) minus that of the tuned linear schedule;
negative is better. Of a group of tasks it is the mean, with a 95 % interval that is paired over
seeds (jackknife; the tasks are as they are).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from psi.bench.contest import SCORING_SEEDS as SCORING
from psi.bench.contest import TUNING_SEEDS as TUNING
from psi.fit.outcome import charged, run_losses, scales_of
from psi.ideal.branched import final_losses
from psi.ideal.oracle import plain_scores, trajectory_losses
from psi.ideal.returns import RESOLUTION, left_out_means, score
from psi.lab.bounds import BOUNDS
from psi.lab.branch import play, repeated, starts
from psi.lab.engine import MakePolicy
from psi.lab.policy import Policy, trajectory
from psi.lab.task import Task
from psi.lab.trajectories import PLAIN
from psi.law.clock import Clock, decide
from psi.law.features import Observation
from psi.law.law import Law

TOLD = (1.0, 0.5, 2.0)
"""Times T: what schedules are told of the budget."""
BUDGETS = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Times T: what the tuned linear schedule is given, to see which budget matches a law."""
OTHER_RESOLUTIONS = (0.001, 0.1)
"""In place of the score's 0.01."""

Losses = Float[np.ndarray, " seed"]


class Method(NamedTuple):
    """A schedule and what its trainings ended at."""

    name: str
    losses: Losses
    """Final validation losses of the scoring seeds, at most twice that of chance."""


class Judged(NamedTuple):
    """A task and all methods on it."""

    task: Task
    methods: tuple[Method, ...]
    budgets: Float[np.ndarray, "budget seed"]
    """Of the tuned linear schedule over BUDGETS."""

    def losses(self, name: str) -> Losses:
        """Of the method of that name."""
        return next(method.losses for method in self.methods if method.name == name)

    def regret(self, name: str, reference: str, resolution: float = RESOLUTION) -> float:
        """Score of one method minus that of another."""
        return float(np.subtract(*self._scores(self._pair(name, reference).mean(0), resolution)))

    def left_out(self, name: str, reference: str) -> Float[np.ndarray, " seed"]:
        """The same with each seed left out."""
        pair = self._pair(name, reference)
        scores = self._scores(left_out_means(pair, np.ones(len(pair))), RESOLUTION)
        return scores[:, 0] - scores[:, 1]

    def budget_ratio(self, name: str) -> float:
        """The budget, times T, at which the tuned linear schedule ends at the method's loss.

        Between BUDGETS, linear in their logarithm; at most and at least these.
        """
        curve = np.minimum.accumulate(self.budgets.mean(1))
        logs = np.log(BUDGETS)
        return float(np.exp(np.interp(-self.losses(name).mean(), -curve, logs)))

    def _pair(self, name: str, reference: str) -> Float[np.ndarray, "seed 2"]:
        return np.stack([self.losses(name), self.losses(reference)], axis=1)

    def _scores(self, mean: np.ndarray, resolution: float) -> np.ndarray:
        return score(mean, self.task.facts.floor, self.task.facts.chance_loss, resolution)


def judge(
    task: Task,
    laws: Sequence[tuple[str, Law]],
    single: dict[str, float],
    policy: MakePolicy,
    key: Key[Array, ""],
) -> Judged:
    """All methods on one task; `policy` is `ruled` of the same laws, `single` the single rates."""
    rates = dict(BOUNDS)[task.facts.optimizer]
    grid, scores = plain_scores(task, rates, key, TUNING)
    tuned = dict(zip((name for name, _ in PLAIN), grid[scores.argmin(1)], strict=True))
    plans = [
        (f"{name}, {how}{_told(told)}", _plan(name, peaks[name], task.facts.epochs, told))
        for how, peaks in (("tuned", tuned), ("single rate", single))
        for name, _ in PLAIN
        for told in (TOLD if name != "constant" else TOLD[:1])
    ]
    losses = trajectory_losses(task, np.stack([plan for _, plan in plans]), SCORING, key)
    methods = [Method(name, losses[:, k]) for k, (name, _) in enumerate(plans)]
    for number, (name, law) in enumerate(laws):
        found = law_losses(task, number, law, policy, key)
        methods += [Method(f"{name}{_told(told)}", found[:, k]) for k, told in enumerate(TOLD)]
    return Judged(task, tuple(methods), _budgets(task, tuned["linear"], key))


def law_losses(
    task: Task, number: int, law: Law, policy: MakePolicy, key: Key[Array, ""]
) -> Float[np.ndarray, "seed told"]:
    """Final losses under law `number` of a policy, told T as in TOLD."""
    task = charged(task) if law.scale else task
    scale = scales_of(task, SCORING, key) if law.scale else np.ones(len(SCORING))
    shape = (len(SCORING), len(TOLD))
    lanes = Ruled(
        np.full(shape, number, np.int32),
        np.broadcast_to(scale.astype(np.float32)[:, None], shape),
        np.broadcast_to(np.array(TOLD, np.float32), shape),
    )
    return run_losses(task, policy, lanes, 1, SCORING, key)


class Ruled(NamedTuple):
    """A lane: which law, its α_0, and what it is told of T, times T."""

    number: Any
    scale: Any
    told: Any


def ruled(laws: Sequence[Law]) -> MakePolicy:
    """Lanes under several laws; one object is part of one compiled program."""
    clocks = [Clock(law, 1) for law in laws]

    def policy(lane: Ruled) -> Policy:
        def step(last: Array, seen: Observation) -> tuple[Array, Array]:
            seen = seen._replace(horizon=lane.told * seen.horizon)
            branches = [partial(_decided, clock, lane.scale) for clock in clocks]
            rate = jax.lax.switch(lane.number, branches, seen, last)
            return rate, rate

        return Policy(init=lambda _: jnp.asarray(1e-6, dtype=float), step=step)

    return policy


def _decided(clock: Clock, scale: Array, seen: Observation, last: Array) -> Array:
    return jnp.asarray(decide(clock.at_scale(scale), seen, last, jnp), dtype=last.dtype)


def _plan(name: str, peak: float, epochs: int, told: float) -> Float[np.ndarray, " epoch"]:
    """A plain schedule that is told another budget; past its end it stays where it ended."""
    t = np.minimum(np.arange(epochs) / (told * epochs), 1.0)
    return peak * dict(PLAIN)[name](t)


def _told(told: float) -> str:
    return "" if told == 1 else f", told {told:g} T"


def _budgets(task: Task, peak: float, key: Key[Array, ""]) -> Float[np.ndarray, "budget seed"]:
    """One cell a budget, all in one program: rates after a budget's end are not asked for."""
    epochs = np.array([max(1, round(times * task.facts.epochs)) for times in BUDGETS])
    longest = task._replace(facts=replace(task.facts, epochs=int(epochs.max())))
    plans = [np.pad(_plan("linear", peak, n, 1.0), (0, epochs.max() - n)) for n in epochs]
    lanes = np.stack(plans)[:, None].astype(np.float32)
    states = repeated(starts(longest, SCORING, key), len(epochs))
    loss = play(longest, states, trajectory, lanes, epochs).loss
    return final_losses(longest, loss)[:, :, 0, 0]


class Gain(NamedTuple):
    """By how much the first of two methods is better, over a group of tasks."""

    mean: float
    low: float
    high: float
    """95 % interval, paired over seeds."""
    wins: int
    """Tasks on which it is better."""
    tasks: int


def gain(group: Sequence[Judged], name: str, other: str) -> Gain:
    """Regret of `other` minus that of `name`: positive where `name` is better."""
    means, variances = [], []
    for judged in group:
        means.append(-judged.regret(name, other))
        left_out = judged.left_out(name, other)
        variances.append((len(left_out) - 1) * left_out.var())
    mean = float(np.mean(means))
    error = 1.96 * float(np.sqrt(np.sum(variances))) / len(means)
    return Gain(mean, mean - error, mean + error, int((np.array(means) > 0).sum()), len(means))
