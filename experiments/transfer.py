"""What a law of facts is worth on the suite `train`, by what it was fitted to.

    python -m experiments.transfer data/atlas --out paper/scale/transfer.csv

The suite's tasks have other initial weights and longer trainings than most of an atlas's;
data/calibration.parquet has the score of every rate on them, for the validation loss. The law of an
optimizer is fitted to the atlas, to the suite, and to both with the suite's tasks weighing 1, 4 and
16 times as much; a domain is left out of whatever is fitted. All facts are seen that a law of the
optimizer may see; those of the suite are of one run. Beside these the one line that
experiments.calibrate chose on this very suite. Regrets are against the best plain schedule of each
task [nats]; of a mean over tasks per network and over domains.

`--levels` gets a number an optimizer: by which factor the rates of the fit to the atlas lose least
here. experiments.ship multiplies its laws for the validation loss by it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
import tyro
from jaxtyping import Float

from experiments.calibrate import kept
from psi.bench.baselines.calibrated import calibration
from psi.bench.suites import suite
from psi.fit.scale.facts import FACTS, sets_for
from psi.fit.scale.left_out import domain_folds, domain_means, over_domains
from psi.fit.scale.linear import Candidate, fit_linear, task_weights
from psi.fit.scale.minimum import Best, best_rates
from psi.fit.scale.regret import Curves, curves, regret_at
from psi.fit.scale.table import Atlas, read_atlas
from psi.fit.scale.tuned import SCHEDULES, TunedTasks, tuned_tasks
from psi.lab.engine.probe import initial_grad_norms
from psi.lab.engine.training import norm
from psi.lab.tasks.table import spec_task
from psi.law.file import write_atomic
from psi.report.progress import bar

ERROR = 0.02  # of a score over four seeds, nats
WEIGHTS = (1, 4, 16)
SCHEDULE = "linear"
FACTORS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 2.0, 2.2, 2.5)


@dataclass(frozen=True)
class Main:
    """Compare fits to an atlas and to the suite on the suite's domains."""

    atlas: tyro.conf.Positional[Path]
    """The folder that psi atlas made."""
    out: Path
    """A CSV: optimizer, fitted_to, network, tasks, regret, low, high."""

    levels: Path | None = None
    """A CSV: optimizer, factor, its regret, at_one (that of the factor 1)."""

    def run(self) -> None:
        """Do it."""
        atlas, facts = read_atlas(self.atlas), facts_of_suite()
        if self.levels:
            names = sorted(set(atlas.runs.optimizer))
            found = pd.DataFrame([level_of(atlas, facts, name) for name in names])
            write_atomic(self.levels, found.round(4).to_csv(index=False).encode())
            print(found.to_string(index=False))
        rows = [
            row
            for optimizer in sorted(set(atlas.runs.optimizer))
            for row in compared(atlas, facts, optimizer)
        ]
        names = ["optimizer", "fitted_to", "network", "tasks", "regret", "low", "high"]
        table = pd.DataFrame(rows, columns=names)
        write_atomic(self.out, table.round(4).to_csv(index=False).encode())
        print(table[table.network == "all"].to_string(index=False))


def facts_of_suite() -> pd.DataFrame:
    """A row a task of the suite: what a law sees, its domain and its network."""
    train, rows = suite("train"), []
    with bar("tasks") as report:
        for number, spec in enumerate(train.specs):
            task = spec_task(spec, "sgd", train.data)
            size = float(norm(task.init(jax.random.key(0)))) / task.facts.parameters**0.5
            first = float(initial_grad_norms(task, np.zeros(1, int), jax.random.key(0))[0])
            own = {"domain": task.facts.domain, "network": task.facts.network}
            known = task.facts.known().values()
            known |= {"weight_rms": size, "initial_grad_norm": first}
            rows.append(own | known | {"budget": task.facts.epochs})
            report(number + 1, len(train.specs), task.name)
    return pd.DataFrame(rows)


def tuned_suite(
    facts: pd.DataFrame, optimizer: str, grid: Float[np.ndarray, " rate"]
) -> TunedTasks:
    """The suite's tasks as those of an atlas, on its grid of log rates."""
    table = kept(suite("train"))
    table, found, best = table[table.optimizer == optimizer], {}, {}
    for name in SCHEDULES:
        wide = table[table.schedule == name].pivot(index="task", columns="rate", values="score")
        own, scores = np.log(wide.columns.to_numpy(float)), wide.loc[facts.index].to_numpy()
        held = np.clip(grid, own[0], own[-1])
        found[name] = np.array([np.interp(held, own, y) for y in scores]) + np.abs(grid - held)
        tried = np.ones_like(found[name], bool)
        best[name] = best_rates(grid, found[name], np.full_like(found[name], ERROR), tried)
    reference = np.min([each.score for each in best.values()], axis=0)[:, None]
    regret = {name: curves(grid, y - reference) for name, y in found.items()}
    seen = facts[list(FACTS)].astype(float)
    return TunedTasks(seen, facts.domain.to_numpy(object), regret, best, np.ones(len(grid), bool))


def both(one: TunedTasks, other: TunedTasks) -> TunedTasks:
    """The tasks of two tables on one grid."""
    pairs = {name: (one.curves[name], other.curves[name]) for name in SCHEDULES}
    return TunedTasks(
        pd.concat([one.facts, other.facts], ignore_index=True),
        np.concatenate([one.domain, other.domain]),
        {
            name: Curves(a.knots, np.concatenate([a.coefficients, b.coefficients], axis=2))
            for name, (a, b) in pairs.items()
        },
        {
            name: Best(*map(np.concatenate, zip(one.best[name], other.best[name], strict=True)))
            for name in SCHEDULES
        },
        one.usual,
    )


def compared(atlas: Atlas, facts: pd.DataFrame, optimizer: str) -> Iterator[tuple[object, ...]]:
    """Rows of the table for an optimizer."""
    from_atlas = tuned_tasks(atlas, optimizer, "validation")
    candidate, grid = widest(optimizer), from_atlas.curves[SCHEDULE].knots[2:-2]
    own = tuned_suite(facts, optimizer, grid)
    level, exponent = calibration().power[optimizer]
    line = np.log(level) + exponent * np.log(own.facts["parameters"].to_numpy(float) / 1000)
    fits = {"the line c P^u, chosen here": regret_at(own.curves[SCHEDULE], line)}
    fits |= {
        "atlas": left_out_of(from_atlas, own, candidate, (1, 0)),
        "suite": left_out_of(from_atlas, own, candidate, (0, 1)),
    }
    for m in WEIGHTS:
        fits[f"atlas + {m} × suite"] = left_out_of(from_atlas, own, candidate, (1, m))
    for name, regret in fits.items():
        yield (
            optimizer,
            name,
            "all",
            len(own.domain),
            *over_domains(domain_means(regret, own.domain)),
        )
        for network in np.unique(facts.network):
            some = regret[facts.network == network]
            yield optimizer, name, network, len(some), some.mean(), np.nan, np.nan


def widest(optimizer: str) -> Candidate:
    """All facts, with one exponent each."""
    plain = [each for each in sets_for(optimizer) if not each.by_stream]
    return Candidate(max(plain, key=lambda each: each.constants), schedule=SCHEDULE)


class Level(NamedTuple):
    """A factor of the rates of an atlas, and what it loses on the suite's domains, left out."""

    optimizer: str
    factor: float
    regret: float
    at_one: float


def level_of(atlas: Atlas, facts: pd.DataFrame, optimizer: str) -> Level:
    """The factor of the least regret on the suite `train`."""
    tasks = tuned_tasks(atlas, optimizer, "validation")
    own = tuned_suite(facts, optimizer, tasks.curves[SCHEDULE].knots[2:-2])
    rates = left_out_rates(tasks, own, widest(optimizer), (1, 0))
    regret = [regret_at(own.curves[SCHEDULE], rates + np.log(factor)) for factor in FACTORS]
    lost = [float(domain_means(each, own.domain).mean()) for each in regret]
    best = int(np.argmin(lost))
    return Level(optimizer, FACTORS[best], lost[best], lost[FACTORS.index(1.0)])


def left_out_of(
    atlas: TunedTasks, own: TunedTasks, candidate: Candidate, share: tuple[float, float]
) -> Float[np.ndarray, " task"]:
    """The regret on the suite's tasks of fits that saw no task of their domain's fold."""
    return regret_at(own.curves[SCHEDULE], left_out_rates(atlas, own, candidate, share))


def left_out_rates(
    atlas: TunedTasks, own: TunedTasks, candidate: Candidate, share: tuple[float, float]
) -> Float[np.ndarray, " task"]:
    """Log rates of such fits; `share` are the weights of the atlas's tasks and of the suite's."""
    every = both(atlas, own)
    of_suite = np.arange(len(every.domain)) >= len(atlas.domain)
    weight = task_weights(every.domain) * np.where(of_suite, share[1], share[0])
    fold, log_rate = domain_folds(every.domain), np.empty(len(every.domain))
    for k in np.unique(fold):
        out = fold == k
        seen = ~out & (weight > 0)
        fit = fit_linear(every.take(seen), candidate, weight[seen])
        log_rate[out] = fit.log_rates(every.facts[out])
    return log_rate[of_suite]


if __name__ == "__main__":
    tyro.cli(Main).run()
