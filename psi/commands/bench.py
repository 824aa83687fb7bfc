"""psi bench."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias

import tyro

from psi.commands.files import check_output
from psi.commands.printing import as_json, not_ok, print_plan, print_rows, print_table
from psi.progress import Report

What: TypeAlias = Literal[
    "engine", "storage", "branching", "fit", "scheduler", "range", "methods", "suite", "table"
]


@dataclass(frozen=True)
class BenchCommand:
    """Measure: how fast populations train, what keeping them costs, what fits and laws are worth.

    Example: psi bench engine --json
    Example: psi bench storage
    Example: psi bench fit --table held_out.csv
    Example: psi bench scheduler --json
    Example: psi bench range
    Example: psi bench methods
    Example: psi bench suite smoke --out out/smoke
    Example: psi bench suite validation --laws adam mine.json --methods cosine prodigy --out out/v
    Example: psi bench suite validation --out out/v --dry-run
    Example: psi bench suite validation --out out/v --engine ray --address 10.0.0.1:6379
    Example: psi bench table out/smoke --table all.csv --figures out/figures
    Example: psi bench table out/v --against "cosine, calibrated" --json
    """

    what: tyro.conf.Positional[What] = "engine"
    """engine: training on the canonical case, digits, 64-32-10, batch 64, 10 epochs of 24 steps.
    storage: going on with a sweep of 10,000 finished parts, and what committing costs.
    branching: candidate rates tried from the same states, beside as many runs.
    fit: planted and measured laws found again, and the shipped laws on held-out tasks; exit 1
    where a figure is missed.
    scheduler: what a law costs in a step of optax and of PyTorch, and to load; exit 1 too.
    range: the rates that range tests suggest beside the best constant ones, on 48 tasks.
    methods: the rules that people use: what each computes, sees, its default rate and source.
    suite: train them, and laws, on a suite of tasks.
    table: where they stand, from what that has written: mean regret to the schedule tuned on the
    task, with p, interquartile mean (IQM), the probability of a better run, accuracy, the share of
    runs that reach the criterion and the epochs until half of them have, the random search that
    matches it (price), and the runs of tuning. All measures are in --json and --table."""
    of: tyro.conf.Positional[str] = ""
    """Of `suite`, which: smoke, train, validation or sealed. Of `table`, the folder."""
    only: tuple[Literal["planted", "powers", "measured", "rows", "shipped"], ...] = ()
    """Of `fit`: some groups instead of all."""
    table: Path | None = None
    """Of `fit`: write every law on every held-out task to this CSV. Of `table`: all measures."""
    figures: Path | None = None
    """Of `table`: draw mean regrets, performance profiles and prices into this folder."""
    against: str = ""
    """Of `table`: compare with this method instead of the tuned reference. p is then that of each
    comparison by itself."""
    out: Path | None = None
    """Of `suite`: the folder for its runs. The same command goes on where it was stopped."""
    methods: tuple[str, ...] = ()
    """Of `suite`: baselines by name, `linear, tuned` where the task tunes it; by default all, on
    smoke some of each kind. The tuned schedules, with which all are compared, are always there."""
    laws: tuple[str, ...] = ()
    """Of `suite`: laws by name or file; all shipped ones by default."""
    optimizers: tuple[str, ...] = ("sgd", "momentum", "adam")
    """Of `suite`: what trains the tasks, but for methods that bring their own optimizer."""
    why: str = ""
    """Of `suite sealed`: the reason, for its ledger."""
    dry_run: bool = False
    """Of `suite`: say what would be trained and what is there already, and write nothing."""
    engine: Literal["local", "ray"] = "local"
    """Of `suite`: trained here, or by the workers of a Ray cluster."""
    address: str | None = None
    """The Ray cluster, host:port or auto; by default one is started on this machine."""
    quick: bool = False
    """Small populations and few parts only, to see that it works."""
    json: bool = False
    """Print the figures as one JSON object."""

    def __post_init__(self) -> None:
        if self.only and self.what != "fit":
            raise ValueError(f"only is for psi bench fit alone, got {self.what}")
        if self.table and self.what not in ("fit", "table"):
            raise ValueError(f"table is for psi bench fit and table alone, got {self.what}")
        if (self.figures or self.against) and self.what != "table":
            raise ValueError(f"figures and against are for psi bench table alone, got {self.what}")
        if self.figures and self.figures.exists() and not self.figures.is_dir():
            raise ValueError(f"cannot draw into {self.figures}: it is a file")
        if self.table:
            check_output("table", self.table, ".csv")
        if (self.what in ("suite", "table")) != bool(self.of):
            raise ValueError(f"it is bench suite NAME, bench table FOLDER; got {self.of!r}")
        if self.what != "suite":
            given = {"out", "methods", "laws", "why", "dry_run"}
            given = [name for name in sorted(given) if getattr(self, name)]
            if given or self.engine != "local":
                raise ValueError(f"{(*given, 'engine')[0]} is for psi bench suite alone")
        if self.address is not None and self.engine != "ray":
            raise ValueError(f"address is for --engine ray alone, got {self.address!r}")
        if self.what == "suite" and self.out is None:
            raise ValueError("bench suite needs --out, a folder for its runs")

    def run(self) -> Any:
        """Do it; what --json prints."""
        if self.what == "table":
            return self._standings(Path(self.of))
        if self.what == "methods":
            return self._methods()
        from psi.lab.engine.devices import prepare, use_cores
        from psi.report.progress import bar

        use_cores() if self.what == "engine" else prepare()
        if self.what == "suite":
            return self._suite()
        with bar("measuring") as update:
            found = self._measure(update)
        if self.what == "fit":
            if self.table is not None:
                found.tasks.to_csv(self.table, index=False)
            rows = self._rows("Fits and laws against what they must reach", found.rows)
            return rows | {"tasks": found.tasks.to_dict("records")}
        if self.what == "scheduler":
            return self._rows("What a law costs as a scheduler", found)
        if self.what == "range":
            return self._worth(found)
        if not self.json:
            for name, value in found.items():
                print(f"{name:<28} {value}")
        return found

    def _measure(self, update: Report) -> Any:
        if self.what == "fit":
            from psi.bench.fitting.table import bench_fit

            return bench_fit(self.only, update)
        if self.what == "storage":
            from psi.bench.speed.storage import bench_storage

            return bench_storage(100 if self.quick else 10_000, update)
        if self.what == "range":
            from psi.bench.range import bench_range

            return bench_range(self.quick, update)
        module = import_module(f"psi.bench.speed.{self.what}")
        return getattr(module, f"bench_{self.what}")(self.quick, update)

    def _methods(self) -> dict[str, Any]:
        from psi.bench.baselines import BASELINES

        rows = [
            {
                "name": row.name,
                "formula": row.formula,
                "sees": ", ".join(row.sees),
                "rate": "searched" if row.plan else "measured" if row.measure else row.default,
                "source": row.source,
            }
            for row in BASELINES
        ]
        if not self.json:
            cells = [["-" if cell is None else str(cell) for cell in row.values()] for row in rows]
            print_table("Rules that people use", tuple(rows[0]), cells, tuple(rows[0]))
            print("rate: the default; - is that of the task's optimizer")
        return {"methods": rows}

    def _suite(self) -> dict[str, Any]:
        from psi.bench.contestants import SMOKE, Contestants, named_laws
        from psi.bench.running import ran, run_suite
        from psi.bench.suites import suite
        from psi.report.progress import bar

        chosen, folder = suite(self.of), Path(self.out or "")
        laws = named_laws(self.laws, self.optimizers)
        usual = SMOKE if self.of == "smoke" else ()
        who = Contestants.of(self.methods or usual, laws, self.optimizers)
        if self.dry_run:
            return print_plan(chosen, who, folder, self.json)
        engine = self._engine()  # what it lacks is said before the ledger has an entry
        entry = ran(chosen, who, folder, self.why)
        with bar("training networks") as update:
            run_suite(chosen, who, folder, entry, update, engine)
        return self._standings(folder)

    def _engine(self) -> Any:
        if self.engine == "local":
            from psi.bench.running import here

            return here
        from psi.bench.sharing import ray_engine

        return ray_engine(self.address)

    def _standings(self, folder: Path) -> dict[str, Any]:
        from psi.bench.standing import COLUMNS, cells, standings_of
        from psi.bench.suite_runs import REFERENCE, final_runs, left_out, made_of

        ends, against = final_runs(folder), self.against or REFERENCE
        found, few = standings_of(ends, against), left_out(ends)
        of = made_of(folder)
        if (ran := ends.task.nunique()) < of.tasks:
            print(f"psi: {ran} of {of.tasks} tasks are there yet", file=sys.stderr)
        if self.table and self.what == "table":
            import pandas as pd

            pd.DataFrame(found).assign(**of._asdict()).to_csv(self.table, index=False)
        if self.figures:
            self._draw(ends, found, self.figures)
        if not self.json:
            title, left = f"Beside {against}, {folder}", COLUMNS[:2]
            print_table(title, COLUMNS, cells(found), left, 160, unbroken=COLUMNS[1:3],
                        style=lambda row: "bold" if row[1].startswith("Ψ") else "")  # fmt: skip
            corrected = "corrected over the rows of an optimizer (Holm)"
            alone = "of each comparison by itself, not corrected for their number"
            print(f"p: {corrected if against == REFERENCE else alone}")
            for name, tasks in few.items():
                print(f"left out, as it ran on {tasks} tasks only: {name}")
        return of._asdict() | {"folder": str(folder), "standings": as_json(found), "left_out": few}

    def _draw(self, ends: Any, rows: Sequence[Any], folder: Path) -> None:
        import pandas as pd

        from psi.bench.standing import profiles_of
        from psi.report.standings import prices_figure, profiles_figure, regrets_figure

        folder.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame(rows)
        regrets_figure(table, folder / "regrets.png")
        prices_figure(table, folder / "prices.png")
        profiles_figure(profiles_of(ends, rows), folder / "profiles.png")

    def _worth(self, found: Sequence[Any]) -> dict[str, Any]:
        from psi.bench.range import COLUMNS, cells, summary

        figures = summary(found)
        if not self.json:
            print_table("Range tests", COLUMNS, map(cells, found), COLUMNS[:2])
            for name, values in figures.items():
                print(name, *(f"{key}={value:g}" for key, value in values.items()))
        return {"tasks": as_json(found), "summary": figures}

    def _rows(self, title: str, rows: Sequence[Any]) -> dict[str, Any]:
        if not self.json:
            print_rows(title, rows)
        return {"rows": as_json(rows)}

    failed = staticmethod(not_ok)
