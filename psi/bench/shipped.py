"""The shipped laws on held-out tasks: one row a law and requirement, and a table of every task."""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import jax
import pandas as pd
from jaxtyping import Array, Key

from psi.bench.baselines import SCHEDULES
from psi.bench.cohorts import policies
from psi.bench.judging import OTHER_RESOLUTIONS, Judged, gain, judge
from psi.bench.references import KEYS, headroom, reference
from psi.bench.suites.held_out import HELD_OUT
from psi.lab.engine.devices import beside
from psi.lab.tasks.names import Spec
from psi.lab.tasks.table import spec_task
from psi.law.law import Law
from psi.law.load import shipped
from psi.progress import Report, silent
from psi.verify.rows import Row, at_least

STREAMS_GAIN, FIXED_GAIN = 0.15, 0.05
SEED = 20261124
SINGLE = Path(__file__).parent / "single_rates.json"


def single_rates(optimizer: str) -> dict[str, float]:
    """The best single rate of each plain schedule over the shipped laws' training tasks."""
    return json.loads(SINGLE.read_text())[optimizer]


def by_optimizer() -> list[list[tuple[str, Law]]]:
    """The shipped laws with their names, former ones too, those of one optimizer together."""
    laws = sorted(shipped(former=True), key=lambda pair: (pair[1].optimizer, pair[0]))
    return [list(some) for _, some in groupby(laws, key=lambda pair: pair[1].optimizer)]


def judged_laws(
    laws: Sequence[tuple[str, Law]], specs: Sequence[Spec] = HELD_OUT, report: Report = silent
) -> list[tuple[bool, Judged]]:
    """(whether on fixed data, judged) for every held-out task, under laws of one optimizer."""
    optimizer = laws[0][1].optimizer
    policy, single = policies([law for _, law in laws]), single_rates(optimizer)

    def at(number: int) -> Judged:
        task = spec_task(specs[number], optimizer)
        known = reference(optimizer, task.name)
        return judge(task, known, laws, single, policy, key_of(number))

    found = []
    for number, judged in enumerate(beside(at, range(len(specs)))):
        report(number, len(specs), f"{optimizer}: {judged.task.name}")
        found.append((not judged.task.facts.stream, judged))
    return found


def key_of(number: int) -> Key[Array, ""]:
    """The key of all runs on the held-out task of that number: initialisation and batch order."""
    return jax.random.fold_in(jax.random.key(SEED), number)


def rows_of(name: str, judged: Sequence[tuple[bool, Judged]]) -> list[Row]:
    """What a law must gain over each plain schedule at its single rate; intervals above zero."""
    rows = []
    for fixed, least in ((False, STREAMS_GAIN), (True, FIXED_GAIN)):
        group = [each for is_fixed, each in judged if is_fixed == fixed]
        where = "validation, fixed data" if fixed else "streams"
        for schedule in SCHEDULES:
            better = gain(group, name, f"{schedule}, single rate")
            spread = f"[{better.low:+.3f}, {better.high:+.3f}]"
            what = f"{where}: nats better than the single {schedule} {spread}, "
            what += f"{better.wins} of {better.tasks} tasks"
            row = at_least(name, what, better.mean, least)
            rows.append(row._replace(ok=row.ok and better.low > 0))
    return rows


def table(names: Sequence[str], judged: Sequence[tuple[bool, Judged]]) -> pd.DataFrame:
    """A row for each law and task: loss, regrets against tuned and single rates, win, budget."""
    found = pd.DataFrame([_entry(name, fixed, each) for name in names for fixed, each in judged])
    return found.merge(headroom(), on=KEYS, how="left")


def _entry(name: str, fixed: bool, judged: Judged) -> dict[str, object]:
    facts, regret = judged.task.facts, judged.regret
    entry: dict[str, object] = {
        "law": name, "optimizer": facts.optimizer, "task": judged.task.name,
        "measure": "validation" if fixed else "stream", "epochs": facts.epochs,
        "network": facts.network, "loss": float(judged.losses(name).mean()),
    }  # fmt: skip
    for schedule in SCHEDULES:
        entry[f"regret_{schedule}_tuned"] = regret(name, f"{schedule}, tuned")
        entry[f"regret_{schedule}_single"] = regret(name, f"{schedule}, single rate")
    for budget in ("0.5", "2"):
        assuming = f"assuming {budget} T"
        entry[f"regret_told_{budget}"] = regret(f"{name}, {assuming}", "linear, tuned")
        entry[f"linear_told_{budget}"] = regret(f"linear, tuned, {assuming}", "linear, tuned")
        entry[f"cosine_told_{budget}"] = regret(f"cosine, tuned, {assuming}", "linear, tuned")
    for resolution in OTHER_RESOLUTIONS:
        entry[f"regret_at_{resolution:g}"] = regret(name, "linear, tuned", resolution)
    entry["budget_ratio"] = judged.budget_ratio(name)
    entry["win"] = regret(name, "linear, tuned") <= 0
    return entry
