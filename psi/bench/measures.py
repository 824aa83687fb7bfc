"""Time, accuracy, reliability, and the score: the measures of a method's trainings."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from psi.bench.training import Curves
from psi.ideal.resampling import bootstrap, percentiles
from psi.ideal.returns import capped, score
from psi.lab.tasks.task import TaskFacts

RESAMPLES = 2000


class Entry(NamedTuple):
    """A method as it enters a contest."""

    name: str
    tuned: bool = False
    tuning_runs: int = 0  # networks trained on this very task to choose the rate
    peak_rate: float | None = None  # the chosen rate of a baseline


class Result(NamedTuple):
    """One method on one task, seed by seed. Fields become keys of summary.json."""

    name: str
    tuned: bool
    tuning_runs: int
    peak_rate: float | None
    seeds: list[int]
    final_train_losses: list[float | None]
    """None: diverged"""
    final_val_losses: list[float | None]
    accuracies: list[float]
    """Share right on the test split at the end."""
    epochs_to_criterion: list[int | None]
    """Epochs trained until the validation loss first met the criterion; None: never."""
    mean_rates: list[float | None]
    """Per epoch, over seeds."""
    mean_val_losses: list[float | None]
    """Per epoch, over seeds, each run's capped at twice the chance loss."""
    score: float
    """y of the mean validation loss at the last epoch; lower is better."""


class Regret(NamedTuple):
    """Score minus the reference's on the same seeds; negative is better."""

    mean: float
    low: float
    """2.5 % point of the paired bootstrap over seeds."""
    high: float


def result(
    entry: Entry, seeds: np.ndarray, curves: Curves, facts: TaskFacts, criterion: float
) -> Result:
    """Measures of one method; each curve of shape=(seeds, T)."""
    bounded = capped(curves.val_loss.astype(np.float64), facts.chance_loss)
    return Result(
        *entry,
        seeds=[int(seed) for seed in seeds],
        final_train_losses=_numbers(curves.train_loss[:, -1]),
        final_val_losses=_numbers(curves.val_loss[:, -1]),
        accuracies=[float(a) for a in curves.accuracy[:, -1]],
        epochs_to_criterion=[epochs_to(curve, criterion) for curve in curves.val_loss],
        mean_rates=_numbers(curves.rate.astype(np.float64).mean(0)),
        mean_val_losses=_numbers(bounded.mean(0)),
        score=float(score(np.asarray(bounded[:, -1].mean()), facts.floor, facts.chance_loss)),
    )


def epochs_to(val_loss: Float[np.ndarray, " epoch"], criterion: float) -> int | None:
    """Epochs trained until the loss is first <= the criterion; None where it never is."""
    met = np.flatnonzero(val_loss <= criterion)
    return int(met[0]) + 1 if met.size else None


def regret(one: Result, reference: Result, facts: TaskFacts) -> Regret:
    """The score of one method minus that of a reference, on the same seeds.

    y = log(clip(L̄ − L*, 0, 2Δ) + 0.01 Δ), L̄ the mean final validation loss over seeds, each at
    most 2 L_chance, and Δ = L_chance − L*.

    Args:
        one: The method.
        reference: What it is compared with.
        facts: Of the task: L_chance and L* in nats.

    Returns:
        y(one) − y(reference) in nats, negative where `one` is better, and its 95 % interval from
        a paired bootstrap over seeds.

    Raises:
        ValueError: The two were not trained from the same seeds.

    >>> import numpy as np
    >>> from psi.bench.measures import Entry, regret, result
    >>> from psi.bench.training import Curves
    >>> from psi.lab.hyper import Hyper
    >>> from psi.lab.tasks.table import make_task
    >>> facts = make_task("wine", Hyper(epochs=1)).facts
    >>> def ended(losses):  # two seeds, one epoch
    ...     loss = np.array(losses)[:, None]
    ...     curves = Curves(loss, loss, loss, 1 - loss, loss)
    ...     return result(Entry("a"), np.arange(2), curves, facts, 0.2)
    >>> regret(ended([0.1, 0.2]), ended([0.2, 0.4]), facts).mean < 0
    True
    """
    if one.seeds != reference.seeds:
        raise ValueError(f"paired methods need the same seeds: {one.seeds}, {reference.seeds}")
    pick = bootstrap(len(one.seeds), RESAMPLES, np.random.default_rng(0))

    def scores(which: Result) -> Float[np.ndarray, " resample"]:
        losses = np.array(which.final_val_losses, np.float64)  # None becomes NaN
        means = capped(losses, facts.chance_loss)[pick].mean(1)
        return score(means, facts.floor, facts.chance_loss)

    low, high = percentiles(scores(one) - scores(reference))
    return Regret(one.score - reference.score, float(low), float(high))


def _numbers(values: Float[np.ndarray, " any"]) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
