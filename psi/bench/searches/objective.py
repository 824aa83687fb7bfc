"""What searches are told: final validation losses of trainings, one for each trial.

Search k is that of scoring seed k. All searches' trials with one number train side by side, each
from its own seed (psi.bench.searches.training).
"""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.bench.searches.methods import TRIALS
from psi.bench.searches.space import Losses, Points, schedules
from psi.bench.searches.stagewise import RATES, stagewise
from psi.bench.searches.training import begun, devices, in_calls, trained
from psi.ideal.returns import cap, capped
from psi.lab.engine.run import Run
from psi.lab.engine.seeds import SCORING, SEARCHES
from psi.lab.optimizers import bounds
from psi.lab.tasks.task import Task

DRAWS = 2  # of a run's key; 0 and 1 are those of its initialisation and minibatches


@dataclass(frozen=True, eq=False)
class Objective:
    """Trainings of a task for one search from each scoring seed.

    Equal, for a cache, where task, seeds and key are the same.
    """

    task: Task
    seeds: Int[np.ndarray, " search"]
    key: Key[Array, ""]

    @property
    def _identity(self) -> tuple[Any, ...]:
        task, key = self.task, np.asarray(jax.random.key_data(self.key)).tobytes()
        data = id(task.arrays), id(task.splits)  # alive as long as this object
        return task.functions, task.facts, *data, tuple(self.seeds.tolist()), key

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Objective) and self._identity == other._identity

    @property
    def trials(self) -> Int[np.ndarray, "search trial"]:
        """Seeds of the trials."""
        return np.stack(
            [SEARCHES.array(TRIALS, TRIALS * (int(s) % SCORING.count)) for s in self.seeds]
        )

    @property
    def keys(self) -> Key[Array, " search"]:
        """What each search draws from."""
        each = jax.vmap(lambda s: jax.random.fold_in(jax.random.fold_in(self.key, s), DRAWS))
        return each(self.trials[:, 0])

    def plans(self, points: Float[np.ndarray, "*trial 2"]) -> Float[np.ndarray, "*trial epoch"]:
        """The rates of each point of the space."""
        facts = self.task.facts
        return schedules(points, bounds(facts.optimizer), facts.epochs)

    def losses(self, points: Points, before: int) -> Losses:
        """Final losses of the next trials of all searches, each of which has had `before`.

        At most the cap, and infinite where the run diverged.
        """
        seeds = self.trials[:, before : before + points.shape[1]].T
        rates = self.plans(points).swapaxes(0, 1)

        def some(at: np.ndarray, real: np.ndarray) -> tuple[Any, Any]:
            runs = begun(self.task, self.key, seeds[at])
            return trained(self.task, runs, rates[at], 0, rates.shape[-1] * real)

        return self._worth(in_calls(some, len(seeds), keep=False)[0]).T

    def staged(self) -> Float[np.ndarray, "search epoch"]:
        """The plan of the stagewise search from each first trial's seed."""
        task, epochs = self.task, self.task.facts.epochs

        def advance(states: Run, rates: np.ndarray, first: int, end: int) -> tuple[Any, Any]:
            def some(at: np.ndarray, real: np.ndarray) -> tuple[Any, Any]:
                runs = jax.tree.map(lambda a: np.broadcast_to(a, (len(at), *a.shape)), states)
                lanes = np.broadcast_to(rates[at, None, None], (*runs.initial.shape, epochs))
                return trained(task, runs, lanes, first, first + (end - first) * real)

            losses, after = in_calls(some, len(rates), keep=True)
            return self._worth(losses), after

        seeds = np.broadcast_to(self.trials[:, 0], (devices(), len(self.seeds)))
        states = jax.tree.map(lambda a: a[0], begun(task, self.key, seeds))
        return stagewise(
            advance, states, np.geomspace(*bounds(task.facts.optimizer), RATES), epochs
        )

    def _worth(
        self, losses: Float[np.ndarray, "trial search"]
    ) -> Float[np.ndarray, "trial search"]:
        facts, losses = self.task.facts, losses.astype(np.float64)
        most = capped(losses, facts.chance_loss, cap(facts.network))
        return np.where(np.isfinite(losses), most, np.inf)
