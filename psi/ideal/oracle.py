"""The oracle: the best trajectory that a large search finds for one task, and what it is worth.

A trajectory is a few knots of log α over progress i/(T−1), closer towards the end, linear between
them. CMA-ES (Hansen & Ostermeier 2001; evosax) searches them from several starts at once: every
generation all restarts' candidates are trained as one population, from seeds that are new each
time, so that no candidate is good at one set of batches alone. The ends of the restarts compete
with the tuned plain schedules on further seeds, and the winner is scored on seeds that nothing has
seen. *Headroom* is how much a schedule can matter: the score of the best constant rate minus that
of the oracle, in nats.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.ideal.branched import final_losses
from psi.ideal.resampling import jackknife_error, left_out_means, student_width
from psi.ideal.returns import score
from psi.lab.data.trajectories import PLAIN, plain
from psi.lab.engine.branch import play, repeated, starts
from psi.lab.engine.evolution import strategy
from psi.lab.engine.interior import interior
from psi.lab.engine.policy import trajectory
from psi.lab.engine.seeds import CHOOSING, ORACLE, SCORING, TUNING
from psi.lab.tasks.task import Task
from psi.law.checks import at_least, check_positive
from psi.progress import Report, silent

TUNING_SEEDS = TUNING.array(16)
SCORING_SEEDS = SCORING.array(32)
WIDTH = 8  # lanes of a cell: cells are trained together, and few lanes leave little padding
RATIO = 1.5  # between neighbouring rates of the plain schedules
MORE = 4  # rates added at an edge at a time
EXTENSIONS = 10

Rates = Float[np.ndarray, "lane epoch"]


@dataclass(frozen=True)
class Search:
    """How large the search is. Raises ValueError where a number makes no sense."""

    knots: int = 7
    restarts: int = 4
    population: int = 8
    """Candidates a restart and generation."""
    generations: int = 40
    seeds: int = 16
    """Initialisations and batch orders a candidate and generation."""
    spread: float = 0.5
    """Standard deviation of log α at the start, nats."""
    choosing: int = 128
    """Seeds on which the ends of the restarts compete with the plain schedules."""

    def __post_init__(self) -> None:
        at_least(self, knots=2, restarts=1, population=4, generations=1, seeds=1, choosing=1)
        check_positive("spread", self.spread)

    def runs(self) -> int:
        """Networks trained by the search."""
        return self.restarts * self.population * self.generations * self.seeds


class Scored(NamedTuple):
    """A trajectory and what it is worth on fresh seeds."""

    name: str
    rates: Float[np.ndarray, " epoch"]
    losses: Float[np.ndarray, " seed"]
    """Final validation loss of each scoring seed, at most twice that of chance."""
    score: float


class Headroom(NamedTuple):
    """How much a schedule can matter on a task."""

    oracle: Scored
    plain: tuple[Scored, ...]
    """The tuned plain schedules, in the order of lab.data.trajectories.PLAIN: constant first."""
    nats: float
    """Score of the best constant rate minus that of the oracle."""
    low: float
    high: float
    """95 % interval, paired over the scoring seeds (jackknife)."""
    runs: int
    """Networks trained in all."""


def headroom(
    task: Task,
    rates: tuple[float, float],
    key: Key[Array, ""],
    settings: Search | None = None,
    report: Report = silent,
) -> Headroom:
    """Tune the plain schedules, search the oracle, score all on fresh seeds.

    `rates` are the lowest and highest to begin with; grids are extended until the best is inside.
    """
    peaks, spent = tuned_peaks(task, rates, key)
    found = headroom_over(task, peaks, key, settings or Search(), report)
    return found._replace(runs=found.runs + spent)


def headroom_over(
    task: Task,
    peaks: Float[np.ndarray, " shape"],
    key: Key[Array, ""],
    settings: Search,
    report: Report = silent,
) -> Headroom:
    """Headroom with the plain schedules at given peak rates, in the order of PLAIN."""
    plans = plans_at(peaks, task.facts.epochs)
    best, spent = searched(task, plans, key, settings, report)
    final = np.concatenate([plans, best[None]])
    names = (*(name for name, _ in PLAIN), "oracle")
    losses = trajectory_losses(task, final, SCORING_SEEDS, key)
    scores = _scores(losses, task)
    scored = [
        Scored(name, final[k], losses[:, k], float(scores[k])) for k, name in enumerate(names)
    ]
    nats, low, high = difference(losses[:, 0], losses[:, -1], task)
    return Headroom(scored[-1], tuple(scored[:-1]), nats, low, high, spent + losses.size)


def plans_at(peaks: Float[np.ndarray, " shape"], epochs: int) -> Rates:
    """The plain schedules, each at its own peak rate, in the order of PLAIN."""
    return np.stack([plain(np.array([p]), epochs).rates[k] for k, p in enumerate(peaks)])


def searched(
    task: Task, plans: Rates, key: Key[Array, ""], settings: Search, report: Report = silent
) -> tuple[Float[np.ndarray, " epoch"], int]:
    """(the oracle, networks trained): the best of `plans` and of the ends of a search from them.

    They compete on seeds that the search has not seen.
    """
    candidates = np.concatenate([plans, search(task, plans, key, settings, report)])
    fresh = CHOOSING.array(settings.choosing)
    best = trajectory_losses(task, candidates, fresh, key).mean(0).argmin()
    return candidates[best], settings.runs() + len(candidates) * settings.choosing


def tuned_peaks(
    task: Task, rates: tuple[float, float], key: Key[Array, ""]
) -> tuple[Float[np.ndarray, " shape"], int]:
    """The best peak rate of each plain schedule, on a grid of ratio 1.5, and the runs it took."""
    grid, found = plain_scores(task, rates, key)
    return grid[found.argmin(1)], found.size * len(TUNING_SEEDS)


def plain_scores(
    task: Task,
    rates: tuple[float, float],
    key: Key[Array, ""],
    seeds: Int[np.ndarray, " seed"] = TUNING_SEEDS,
) -> tuple[Float[np.ndarray, " rate"], Float[np.ndarray, "shape rate"]]:
    """(grid, score of each plain schedule at each peak rate) of `plain_losses`."""
    grid, losses = plain_losses(task, rates, key, seeds)
    return grid, _of_means(losses, task)


def plain_losses(
    task: Task,
    rates: tuple[float, float],
    key: Key[Array, ""],
    seeds: Int[np.ndarray, " seed"] = TUNING_SEEDS,
    ratio: float = RATIO,
) -> tuple[Float[np.ndarray, " rate"], Float[np.ndarray, "shape rate"]]:
    """(grid, mean final loss of each plain schedule at each peak rate), a grid of `ratio` or less.

    The grid is extended, up to 10 times, until no best is at an edge.
    """
    low, high = np.log(rates)
    grid = np.exp(np.linspace(low, high, 1 + int(np.ceil((high - low) / np.log(ratio)))))

    def losses(peaks: Float[np.ndarray, " rate"]) -> Float[np.ndarray, "shape rate"]:
        lanes = plain(peaks, task.facts.epochs).rates
        return trajectory_losses(task, lanes, seeds, key).mean(0).reshape(len(PLAIN), -1)

    return interior(losses, grid, MORE, EXTENSIONS)


def search(
    task: Task,
    first: Float[np.ndarray, "first epoch"],
    key: Key[Array, ""],
    settings: Search,
    report: Report = silent,
) -> Float[np.ndarray, "restart epoch"]:
    """The trajectory each restart of CMA-ES ends at; restart r begins at `first`[r], in turn."""
    epochs = task.facts.epochs
    at = knots(epochs, settings.knots)
    turns = [np.log(first[r % len(first)]) for r in range(settings.restarts)]
    begin = [np.interp(at, np.arange(epochs), logs) for logs in turns]
    ask, tell, states = strategy(settings.population, settings.spread, np.stack(begin), key)
    for generation in range(settings.generations):
        draw = jax.random.fold_in(key, generation)
        logs, states = ask(draw, states)
        lanes = _trajectories(np.asarray(logs).reshape(-1, len(at)), at, epochs)
        seeds = ORACLE.array(settings.seeds, skip=generation * settings.seeds)
        scores = _scores(trajectory_losses(task, lanes, seeds, key), task)
        fitness = jnp.asarray(scores.reshape(settings.restarts, settings.population), float)
        states = tell(draw, logs, fitness, states)
        report(generation + 1, settings.generations, "generations")
    return _trajectories(np.asarray(states.mean), at, epochs)


def knots(epochs: int, count: int) -> Float[np.ndarray, " knot"]:
    """Epochs of the knots on 0 … T−1, (T − 1)(1 − (1 − u)²) for even u: closer towards the end."""
    u = np.linspace(0, 1, min(count, epochs))
    return (epochs - 1) * (1 - (1 - u) ** 2)


def difference(
    losses: Float[np.ndarray, " seed"], reference: Float[np.ndarray, " seed"], task: Task
) -> tuple[float, float, float]:
    """Score of one minus that of another on the same seeds, with a 95 % jackknife interval."""
    both = np.stack([losses, reference], axis=1)
    one, other = _scores(both, task)
    left_out = _of_means(left_out_means(both), task)
    error = jackknife_error(left_out[:, 0] - left_out[:, 1]) * student_width(len(both))
    return float(one - other), float(one - other - error), float(one - other + error)


def _trajectories(
    logs: Float[np.ndarray, "lane knot"], at: Float[np.ndarray, " knot"], epochs: int
) -> Rates:
    return np.exp(np.stack([np.interp(np.arange(epochs), at, each) for each in logs]))


def trajectory_losses(
    task: Task, rates: Rates, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]
) -> Float[np.ndarray, "seed lane"]:
    """Final validation losses, capped.

    Lanes are cut into cells of one width, the last one padded, so that one program serves all.
    """
    cells = -(-len(rates) // WIDTH)
    index = np.minimum(np.arange(cells * WIDTH), len(rates) - 1).reshape(cells, WIDTH)
    states = repeated(starts(task, seeds, key), cells)
    length = np.full(cells, task.facts.epochs)
    lanes = rates[index].astype(np.float32)
    loss = final_losses(task, play(task, states, trajectory, lanes, length).loss)
    return loss[:, :, 0].swapaxes(0, 1).reshape(len(seeds), -1)[:, : len(rates)]


def _scores(losses: Float[np.ndarray, "seed lane"], task: Task) -> Float[np.ndarray, " lane"]:
    return _of_means(losses.mean(0), task)


def _of_means(means: Float[np.ndarray, "..."], task: Task) -> Float[np.ndarray, "..."]:
    return score(means, task.facts.floor, task.facts.chance_loss)
