"""Laws as schedules that need no tuning, on tasks that no fit has seen.

On every task the plain schedules, tuned on seeds 0–4 (references.py), are scored with the laws on
seeds 100–109. Beside the tuned ones stand those at the best *single* rate for all training tasks:
what a user has without tuning.

Regret is the score y = log(clip(L̄ − L*, 0, 2Δ) + 0.01 Δ) minus that of the tuned linear schedule;
negative is better. Of a group of tasks it is the mean, with a 95 % interval that is paired over
seeds (jackknife; the tasks are as they are).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Key

from psi.bench.cohorts import BUDGETS, budget_name, cohort_losses, cohorts
from psi.bench.references import Reference
from psi.ideal.resampling import jackknife_error, left_out_means
from psi.ideal.returns import RESOLUTION, score
from psi.lab.engine.population import MakePolicy
from psi.lab.tasks.task import Task
from psi.law.law import Law

OTHER_RESOLUTIONS = (0.001, 0.1)  # shares of Δ in the score, to see what depends on its 0.01

Losses = Float[np.ndarray, " seed"]


class Method(NamedTuple):
    """A schedule and the losses at which its trainings ended."""

    name: str
    losses: Losses  # final validation losses of the scoring seeds, at most twice that of chance


class Judged(NamedTuple):
    """A task and all methods on it."""

    task: Task
    methods: tuple[Method, ...]

    def losses(self, name: str) -> Losses:
        """Final losses of the method of that name."""
        return next(method.losses for method in self.methods if method.name == name)

    def regret(self, name: str, reference: str, resolution: float = RESOLUTION) -> float:
        """The score of one method minus that of another [nats]."""
        return float(np.subtract(*self._scores(self._pair(name, reference).mean(0), resolution)))

    def left_out(self, name: str, reference: str) -> Float[np.ndarray, " seed"]:
        """The regret of one method against another with each seed left out in turn."""
        pair = self._pair(name, reference)
        scores = self._scores(left_out_means(pair), RESOLUTION)
        return scores[:, 0] - scores[:, 1]

    def budget_ratio(self, name: str) -> float:
        """The budget, times T, at which the tuned linear schedule ends at the method's loss.

        Between BUDGETS, linear in their logarithm; at most and at least these.
        """
        ends = [self.losses(budget_name(times)).mean() for times in BUDGETS]
        curve = np.minimum.accumulate(ends)
        logs = np.log(BUDGETS)
        return float(np.exp(np.interp(-self.losses(name).mean(), -curve, logs)))

    def _pair(self, name: str, reference: str) -> Float[np.ndarray, "seed 2"]:
        return np.stack([self.losses(name), self.losses(reference)], axis=1)

    def _scores(self, mean: np.ndarray, resolution: float) -> np.ndarray:
        return score(mean, self.task.facts.floor, self.task.facts.chance_loss, resolution)


def judge(
    task: Task,
    reference: Reference,
    laws: Sequence[tuple[str, Law]],
    single: Mapping[str, float],
    policy: MakePolicy,
    key: Key[Array, ""],
) -> Judged:
    """Train a task under laws and plain schedules from the scoring seeds.

    Args:
        task: A task that no fit has seen.
        reference: Its floor L* in nats and the tuned peak rates of the plain schedules.
        laws: Names and laws of one optimizer.
        single: The peak rate of each plain schedule that is best over all training tasks.
        policy: `policies` of the same laws, made once: it is part of the compiled program.
        key: Of initialisations and batch orders: a run starts from fold_in(key, seed).

    Returns:
        The final validation losses of every method: the laws; the plain schedules, tuned and at
        their single rates; both assuming T, T/2 and 2 T; the linear one over T/2 … 2 T.

    >>> import jax
    >>> from psi.bench.cohorts import policies
    >>> from psi.bench.judging import judge
    >>> from psi.bench.references import Reference
    >>> from psi.lab.hyper import Hyper
    >>> from psi.lab.tasks.table import make_task
    >>> task = make_task("noisy_quadratic", Hyper(epochs=4))
    >>> peaks = {"constant": 0.1, "linear": 0.2, "cosine": 0.2}
    >>> judged = judge(task, Reference(0.0, peaks), [], peaks, policies([]), jax.random.key(0))
    >>> judged.regret("linear, single rate", "linear, tuned")
    0.0
    """
    task = task._replace(facts=replace(task.facts, floor=reference.floor))
    filled = [each for each in cohorts(task, reference.peaks, laws, single) if each.contestants]
    longest = max(cohort.task.facts.epochs for cohort in filled)
    methods: list[Method] = []
    for cohort in filled:
        losses = cohort_losses(cohort, policy, longest, key)
        methods += [Method(c.name, own) for c, own in zip(cohort.contestants, losses, strict=True)]
    return Judged(task, tuple(methods))


class Gain(NamedTuple):
    """By how much the first of two methods is better, over a group of tasks."""

    mean: float
    low: float
    high: float  # 95 % interval, paired over seeds
    wins: int  # tasks on which it is better
    tasks: int


def gain(group: Sequence[Judged], name: str, other: str) -> Gain:
    """Regret of `other` minus that of `name`: positive where `name` is better."""
    means = [-judged.regret(name, other) for judged in group]
    errors = [jackknife_error(judged.left_out(name, other)) for judged in group]
    mean = float(np.mean(means))
    error = 1.96 * float(np.sqrt(np.sum(np.square(errors)))) / len(means)
    return Gain(mean, mean - error, mean + error, int((np.array(means) > 0).sum()), len(means))
