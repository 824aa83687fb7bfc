"""Make the closed forms of version 0.1.0: python -m experiments.closed_forms.main --ship.

Writes OUT/laws/*.json, the tables OUT/*.csv and the single rates of the plain schedules; with
--ship also psi/pretrained (NAME@0.1.0 and NAME-scaled) and psi/bench/single_rates.json. An
optimizer whose laws are there is not done again, so that the same command goes on where it was
stopped. It does not look at a held-out task: `psi bench fit --only shipped` does.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import jax
import pandas as pd
import tyro

from experiments.closed_forms.compute import (
    Data,
    StudyConfig,
    candidates_of,
    content,
    fit,
    measure,
    study_arena,
)
from experiments.closed_forms.laws import law_of
from experiments.closed_forms.names import shipped_as
from psi.fit.formula.families import SIZED
from psi.fit.formula.points import points_of
from psi.fit.search.finalists import Finalist, compete
from psi.fit.symbolic.front import table
from psi.fit.symbolic.regression import STEPS
from psi.lab.engine.devices import beside
from psi.lab.tasks.table import spec_task
from psi.law.file import write_atomic
from psi.law.printing import text
from psi.report.progress import bar

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Main:
    """Closed forms for several optimizers, pure and with a scale, fitted and polished.

    Example: python -m experiments.closed_forms.main --ship
    """

    out: Path = Path("out/closed_forms")
    """Folder for laws and tables."""
    optimizers: tuple[str, ...] = ("sgd", "momentum", "adam")
    ship: bool = False
    """Copy the laws and the single rates into the package."""
    config: tyro.conf.Suppress[StudyConfig] = field(default_factory=StudyConfig)

    def run(self) -> None:
        """Do it."""
        from psi.lab.engine.devices import prepare

        prepare()
        (self.out / "laws").mkdir(parents=True, exist_ok=True)
        _open(self.out, self.config)
        for optimizer in self.optimizers:
            if not _law_file(self.out, f"{optimizer}-scaled").exists():
                _study(self.config, optimizer, self.out)
        rates = {o: _single(self.out, o) for o in self.optimizers}
        write_atomic(self.out / "single_rates.json", json.dumps(rates, indent=1).encode())
        if self.ship:
            for path in sorted((self.out / "laws").glob("*.json")):
                shutil.copy(path, ROOT / "psi" / "pretrained" / f"{shipped_as(path.stem)}.json")
            shutil.copy(self.out / "single_rates.json", ROOT / "psi" / "bench")


def _open(out: Path, config: StudyConfig) -> None:
    path, asked = out / "config.json", json.loads(json.dumps(content(config)))
    if path.exists() and json.loads(path.read_text()) != asked:
        raise ValueError(f"{path} is of another config: choose another folder")
    write_atomic(path, json.dumps(asked, indent=1).encode())


def _study(config: StudyConfig, optimizer: str, out: Path) -> None:
    fits = 2 * (len(config.families) + 1 + len(STEPS))
    searches = 2 * (1 + config.rounds.steps())
    with bar(optimizer) as update:
        total, done = len(config.tasks) + fits + searches, 0

        def report(note: str) -> None:
            nonlocal done
            done += 1
            update(done, total, note)

        data = _measured(config, optimizer, out, report)
        jax.clear_caches()  # a process may map so many programs and no more (vm.max_map_count)
        found = list(beside(lambda scaled: fit(config, data, scaled, report), (False, True)))
        jax.clear_caches()
        candidates = [
            candidates_of(config, each, points_of(data.ideal, SIZED, scaled))
            for scaled, each in zip((False, True), found, strict=True)
        ]
        arena = study_arena(config, data, [*candidates[0], *candidates[1]])
        count = len(candidates[0])
        note = lambda *step: report(step[-1])  # noqa: E731
        pure = compete(arena, range(count), config.rounds, note)
        scaled_arena = arena._replace(scaled=True)
        scaled = compete(scaled_arena, range(count, len(arena.candidates)), config.rounds, note)
        pair = (
            law_of(config, data, arena, pure[0], scaled=False),
            law_of(config, data, scaled_arena, scaled[0], scaled=True),
        )
    _tables(out, optimizer, data, {"": pure, "-scaled": scaled})
    for name, each in zip(("pure", "scaled"), found, strict=True):
        table(each.front).to_csv(out / f"{optimizer}-{name}-front.csv", index=False)
    for name, law in zip((optimizer, f"{optimizer}-scaled"), pair, strict=True):
        law.save(_law_file(out, name))
    jax.clear_caches()


def _measured(
    config: StudyConfig, optimizer: str, out: Path, report: Callable[[str], None]
) -> Data:
    """What was measured before, or is now."""
    plain, ideal = (out / f"{optimizer}-{name}.parquet" for name in ("plain", "ideal"))
    if not ideal.exists():
        data = measure(config, optimizer, report)
        data.plain.to_parquet(plain)
        data.ideal.to_parquet(ideal)
    tasks = tuple(spec_task(spec, optimizer) for spec in config.tasks)
    return Data(tasks, pd.read_parquet(plain), pd.read_parquet(ideal))


def _tables(out: Path, optimizer: str, data: Data, candidates: dict[str, list[Finalist]]) -> None:
    data.single_rates.to_csv(out / f"{optimizer}-single.csv", index=False)
    rows = [
        {
            "law": optimizer + suffix,
            "family": each.candidate.name,
            "constants": len(each.found),
            "fitted": each.fitted,
            "polished": each.polished,
            "formula": text(each.candidate.formula.bound(each.found), 4),
        }
        for suffix, some in candidates.items()
        for each in some
    ]
    pd.DataFrame(rows).to_csv(out / f"{optimizer}-candidates.csv", index=False)


def _single(out: Path, optimizer: str) -> dict[str, float]:
    rows = pd.read_csv(out / f"{optimizer}-single.csv")
    return dict(zip(rows.schedule, rows.lr.astype(float), strict=True))


def _law_file(out: Path, name: str) -> Path:
    return out / "laws" / f"{name}.json"


if __name__ == "__main__":
    # Most of a study's time is compilation, of programs that run as fast with less of it.
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")
    tyro.cli(Main).run()
