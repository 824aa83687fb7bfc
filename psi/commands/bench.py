"""psi bench."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro


@dataclass(frozen=True)
class BenchCommand:
    """Measure: how fast populations train, what keeping them costs, what fits and laws are worth.

    Example: psi bench engine --json
    Example: psi bench storage
    Example: psi bench fit --table held_out.csv
    Example: psi bench scheduler --json
    """

    what: tyro.conf.Positional[Literal["engine", "storage", "branching", "fit", "scheduler"]] = (
        "engine"
    )
    """engine: training on the canonical case, digits, 64-32-10, batch 64, 10 epochs of 24 steps.
    storage: going on with a sweep of 10,000 finished parts, and what committing costs.
    branching: candidate rates tried from the same states, beside as many runs.
    fit: planted and measured laws found again, and the shipped laws on held-out tasks; exit 1
    where a figure is missed.
    scheduler: what a law costs in a step of optax and of PyTorch, and to load; exit 1 too."""
    only: tuple[Literal["planted", "powers", "measured", "rows", "shipped"], ...] = ()
    """Of `fit`: some groups instead of all."""
    table: Path | None = None
    """Of `fit`: write every law on every held-out task to this CSV."""
    quick: bool = False
    """Small populations and few parts only, to see that it works."""
    json: bool = False
    """Print the figures as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.lab.engine.devices import prepare, use_cores
        from psi.report.progress import bar

        use_cores() if self.what == "engine" else prepare()
        if self.what == "fit":
            return self._fit()
        if self.what == "scheduler":
            return self._scheduler()
        from psi.bench.speed.branching import bench_branching
        from psi.bench.speed.engine import bench_engine
        from psi.bench.speed.storage import bench_storage

        with bar("measuring") as update:
            if self.what == "engine":
                found = bench_engine(self.quick, update)
            elif self.what == "branching":
                found = bench_branching(self.quick, update)
            else:
                found = bench_storage(100 if self.quick else 10_000, update)
        if not self.json:
            for name, value in found.items():
                print(f"{name:<28} {value}")
        return found

    def _fit(self) -> Any:
        from psi.bench.fitting.table import bench_fit
        from psi.commands.printing import as_json, print_rows
        from psi.report.progress import bar

        with bar("measuring") as update:
            found = bench_fit(self.only, update)
        if self.table is not None:
            found.tasks.to_csv(self.table, index=False)
        if not self.json:
            print_rows("Fits and laws against what they must reach", found.rows)
        return {"rows": as_json(found.rows), "tasks": found.tasks.to_dict("records")}

    def _scheduler(self) -> Any:
        from psi.bench.speed.scheduler import bench_scheduler
        from psi.commands.printing import as_json, print_rows
        from psi.report.progress import bar

        with bar("measuring") as update:
            rows = bench_scheduler(self.quick, update)
        if not self.json:
            print_rows("What a law costs as a scheduler", rows)
        return {"rows": as_json(rows)}

    @staticmethod
    def failed(result: Any) -> bool:
        """Whether a row is not ok: exit code 1."""
        return not all(row["ok"] for row in result.get("rows", ()))
