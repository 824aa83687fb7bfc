"""psi compare: laws beside what a person would use instead, on tasks of one's own."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from psi.commands.files import check_output
from psi.commands.printing import as_json, print_plan, print_table, read_tables
from psi.lab.data.config import GenerateConfig
from psi.lab.hyper import Hyper
from psi.lab.tasks.data_config import DataConfig

COLUMNS = ("method", "final loss", "95 %", "regret", "95 %", "accuracy", "below chance",
           "tuning runs")  # fmt: skip
FOOTER = """\
Final loss: validation loss, mean over 10 seeds; a run counts with at most twice the loss of the
best constant prediction, also where it diverged. Accuracy: share right, or R², on the test rows.
Regret: to the schedule tuned on the task, negative is better; 0.1 nats are about 10 % of the loss.
Intervals are over the seeds, regrets paired: they hold for this task with its rows split as they
are, and say nothing of other tasks."""


@dataclass(frozen=True)
class TaskHyper(Hyper):
    """Every hyperparameter but the rate, and the optimizer, of which a comparison has several."""

    optimizer: tyro.conf.Suppress[tyro.conf.Fixed[str]] = "sgd"


@dataclass(frozen=True)
class CompareCommand:
    """Train laws beside what a person would use instead, on your own tasks; say which is better.

    Beside each law: constant, linear and cosine at the library's default rate, and tuned on the
    task. The best of the tuned ones is the reference.
    Example: psi compare adam --tasks mine.csv --target price
    Example: psi compare adam law.json --tasks a.csv:price b.csv:bought --out out/mine
    Example: psi compare --tasks mine.csv --optimizers adam --methods one_cycle prodigy
    Example: psi compare momentum --tasks wine digits --epochs 40 --figure curves.png
    Example: psi compare adam --tasks mine.csv --ignore id --dry-run
    """

    tasks: tuple[str, ...]
    """Your own .csv, .parquet and .npz files or folders of parts, FILE:COLUMN with the target, or
    any task that psi generate takes by name."""
    laws: tyro.conf.Positional[tuple[str, ...]] = ()
    """Laws by name or file; the shipped ones by default."""
    optimizers: tuple[str, ...] = ()
    """What trains the tasks; by default what the laws are for."""
    methods: tuple[str, ...] = ()
    """More rows of `psi bench methods`, at their default rate."""
    hyper: Annotated[TaskHyper, tyro.conf.OmitArgPrefixes] = field(default_factory=TaskHyper)
    """Of every training, but the learning rate."""
    data: Annotated[DataConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=DataConfig)
    """How your own files and OpenML data sets are read."""
    out: Path | None = None
    """Folder for the runs; the same command goes on where it was stopped, and more laws, methods
    or optimizers may join. Without it nothing is kept."""
    figure: Path | None = None
    """A PNG of losses and rates by epoch: laws, the tuned reference, the default rate."""
    plugin: tuple[Path, ...] = ()
    """Python files whose PLUGIN holds what you add: tasks, optimizers, baselines."""
    dry_run: bool = False
    """Say what each column of your files became and what would be trained, and write nothing."""
    json: bool = False
    """Print the comparison as one JSON object."""

    def __post_init__(self) -> None:
        if self.figure:
            check_output("figure", self.figure, ".png")
        self._config()

    def _config(self) -> GenerateConfig:
        hyper = Hyper(**asdict(self.hyper))
        return GenerateConfig(self.tasks, hyper, self.data, plugin=self.plugin)

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.bench.comparing import comparisons, contestants_of, suite_of
        from psi.bench.planning import planned
        from psi.bench.running import run_suite
        from psi.lab.engine.devices import prepare
        from psi.report.progress import bar

        prepare()
        who = contestants_of(self.laws, self.methods, self.optimizers)
        tables = read_tables(self._config(), self.dry_run, self.json)
        suite = suite_of(self._config())
        if self.dry_run:
            return print_plan(suite, who, self.out, self.json) | {"tables": tables}
        planned(suite, who, self.out)  # says what is wrong with the folder
        with self._folder() as folder:
            with bar("training networks") as update:
                run_suite(suite, who, folder, report=update)
            found = comparisons(folder, suite, who)
        if self.figure:
            from psi.report.figures import comparison_figure

            panels = [(f"{each.task}, {each.optimizer}", _lines(each)) for each in found]
            comparison_figure(panels, self.figure)
        if not self.json:
            _print(found)
        return {
            "out": str(self.out) if self.out else None,
            "comparisons": [
                each._asdict() | {"rows": as_json(each.rows), "verdicts": as_json(each.verdicts)}
                for each in found
            ],
        }

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        if self.out:
            yield self.out
            return
        with tempfile.TemporaryDirectory(prefix="psi-compare-") as folder:
            yield Path(folder)


def _print(found: Any) -> None:
    for each in found:
        cells = [
            (
                row.method, f"{row.loss:.4g}", _interval(row.loss_low, row.loss_high, ".3g"),
                f"{row.regret:+.3f}", _interval(row.regret_low, row.regret_high, "+.2f"),
                f"{row.accuracy:.3f}", f"{row.below_chance:.0%}", str(row.tuning_runs),
            )
            for row in each.rows
        ]  # fmt: skip
        print_table(f"{each.task}, {each.optimizer}", COLUMNS, cells, COLUMNS[:1])
    print(FOOTER)
    for verdict in (verdict for each in found for verdict in each.verdicts):
        print(verdict.sentence)


def _lines(of: Any) -> list[Any]:
    """The laws, the tuned reference and the library's default, as they are drawn."""
    from psi.bench.suite_runs import REFERENCE
    from psi.report.figures import Line

    known = {REFERENCE: f"{of.schedule}, tuned", "constant": "constant, untuned"}
    known |= {verdict.law: verdict.law for verdict in of.verdicts}
    return [
        Line(known[row.method], row.val_losses, row.rates) for row in of.rows if row.method in known
    ]


def _interval(low: float, high: float, form: str) -> str:
    return f"{low:{form}} … {high:{form}}"
