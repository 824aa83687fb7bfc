"""G4, G5, G6 of problems.md: what a short horizon costs, the noise floor, a moving target."""

import jax
import numpy as np
from jaxtyping import Float

from psi.ideal.branched import Branching
from psi.ideal.continuation import CONSTANT, LINEAR
from psi.ideal.moments import joint_rates, mean_oracle
from psi.ideal.receding import recede
from psi.lab.engine.branch import States, play, starts
from psi.lab.engine.policy import trajectory
from psi.lab.hyper import Hyper
from psi.lab.tasks.closed_forms import drift_rate, steady_loss
from psi.lab.tasks.noisy_problems import Drift
from psi.lab.tasks.table import make_task
from psi.lab.tasks.task import Task
from psi.verify.greedy import KEY, numbers_of, quadratic
from psi.verify.rows import Row, at_most, relative

POPULATION = 100_000
CHOSEN_BY = 16_384  # of the population, where candidates are played for up to 60 steps
STEPS = 60
STABLE = 0.2  # 2/h_max
RATES = np.geomspace(0.004, STABLE, 9)
# Mean losses of G4's reference instance (noisy_quadratic_3d) after 60 steps, from the recursion of
# its moments, and the ratio of mean rates; problems.md has them with their source.
GREEDY = 0.1051
TO_THE_END = ((CONSTANT, 0.0764), (LINEAR, 0.0315))
"""(continuation, loss where each rate is the best to the end of the budget under it)"""
ORACLE = 0.0311  # the best schedule of rates <= 2/h_max
ORACLE_OVER_GREEDY = 4.46  # its mean rate over that of the greedy schedule
FREE, FREE_ORACLE = 0.5, 0.0205
"""Rates up to 0.5 in place of 2/h_max, and the most that the best schedule found then ends at."""
JOINT = ((1, GREEDY), (2, 0.094), (4, 0.069), (8, 0.034), (16, 0.031))
"""(H, loss where the rates of the next H steps are chosen jointly, anew in every step)"""


def short_sighted(population: int = POPULATION, chosen_by: int = CHOSEN_BY) -> list[Row]:
    """G4: three curvatures, one rate for the whole population; mean losses after 60 steps.

    By trained runs: greedy, to the end under two continuations, and trajectories that are optimal
    for the recursion of the moments.
    """
    task, key = make_task("noisy_quadratic_3d", Hyper(epochs=STEPS)), jax.random.key(KEY)
    states = starts(task, np.arange(population), key)
    greedy = recede(task, states, RATES, Branching(1, CONSTANT, 0, 2), key)
    rows = [relative("G4", "final loss, greedy", greedy.loss[-1], GREEDY, 0.02)]
    for continuation, truth in TO_THE_END:
        branching = Branching(None, continuation, 0, 2)
        chosen = recede(task, states, RATES, branching, key, chosen_by=chosen_by)
        what = f"final loss, to the end with {continuation.name} continuation"
        rows.append(relative("G4", what, chosen.loss[-1], truth, 0.03))
    return rows + _searched(task, states, float(greedy.rates.mean()))


def _searched(task: Task, states: States, greedy: float) -> list[Row]:
    """Trajectories found on the recursion of the moments, scored by trained runs."""
    problem = numbers_of(task)
    oracle = mean_oracle(problem, STEPS, STABLE)
    joint = [joint_rates(problem, STEPS, ahead, STABLE) for ahead, _ in JOINT]
    plans = [oracle, mean_oracle(problem, STEPS, FREE), *joint]
    best, free, *losses = final_losses(task, states, np.stack(plans))
    ratio = float(oracle.mean()) / greedy
    return [
        relative("G4", "final loss, oracle <= 0.2", best, ORACLE, 0.02),
        relative("G4", "mean rate, oracle <= 0.2 over greedy", ratio, ORACLE_OVER_GREEDY, 0.02),
        at_most("G4", "final loss, oracle <= 0.5", free, FREE_ORACLE),
        *(
            relative("G4", f"final loss, {ahead} rates jointly", loss, truth, 0.03)
            for (ahead, truth), loss in zip(JOINT, losses, strict=True)
        ),
    ]


def final_losses(task: Task, states: States, plans: Float[np.ndarray, "plan step"]) -> list[float]:
    """Mean final loss of each trajectory over the runs of one cell."""
    lanes = plans[None].astype(np.float32)
    loss = play(task, states, trajectory, lanes, np.array([plans.shape[1]])).loss
    return [float(mean) for mean in loss[0, :, 0].mean(0, dtype=np.float64)]


def noise_floor(runs: int = 131_072) -> list[Row]:
    """G5: the loss at which constant rates end, ε_∞ = ασ²/(2(2 − αh))."""
    task = quadratic(0.5, epochs=STEPS)
    rates = np.array([0.1, 0.3, 0.6])
    states = starts(task, np.arange(runs), jax.random.key(KEY))
    found = final_losses(task, states, np.repeat(rates[:, None], STEPS, 1))
    problem = numbers_of(task)
    return [
        relative("G5", f"noise floor at α = {rate}", loss, steady_loss(rate, problem), 0.02)
        for rate, loss in zip(rates, found, strict=True)
    ]


def drift(runs: int = 32_768) -> list[Row]:
    """G6: the ideal rate of a tracker, α_∞ = (−q + √(q² + 4qσ²))/(2σ²).

    The mean over the last 20 epochs of 40, when the start is forgotten.
    """
    task, key = make_task("drift", Hyper(epochs=40)), jax.random.key(KEY)
    states, rates = starts(task, np.arange(runs), key), np.geomspace(0.02, 1.0, 12)
    found = recede(task, states, rates, Branching(1, CONSTANT, 0, 2), key)
    truth = drift_rate(Drift(*(float(a) for a in task.arrays)))
    late = float(found.rates[20:].mean())
    return [relative("G6", "ideal rate of the tracker, epochs 20 to 39", late, truth, 0.05)]
