"""The command line: psi demo | generate | fit | show | bench | report.

Results go to standard output (with --json as one JSON object), everything else to standard
error. A user's mistake is one line and exit code 2.
"""

import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

import psi
from psi.lab.config import DemoConfig, GenerateConfig


@dataclass(frozen=True)
class DemoCommand:
    """From nothing to a fitted Ψ in charge of a training run, with tables, figures and a page.

    Example: psi demo --out out/demo
    """

    out: Path = Path("out/demo")
    """Folder for records/, laws/, figures/, summary.json and report.html; a rerun replaces them."""
    config: Annotated[DemoConfig, tyro.conf.arg(name="")] = field(default_factory=DemoConfig)
    json: bool = False
    """Print summary.json on standard output instead of the table."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.lab.devices import use_all_cores

        use_all_cores()
        from psi.demo import demo
        from psi.report.page import legend, machine

        summary = demo(self.config, self.out)
        if not self.json:
            _print_table(summary)
            print(legend(summary))
            print(f"{machine(summary)}. Report: {self.out / 'report.html'}")
        return summary


@dataclass(frozen=True)
class GenerateCommand:
    """Train many small networks along randomised learning-rate trajectories and record them.

    Rerun the same command to go on after an interruption.
    Example: psi generate --out out/data --tasks wine teacher-0 --cells 10
    """

    out: Path
    """Folder of the data set; an unfinished one of the same config is gone on with."""
    config: Annotated[GenerateConfig, tyro.conf.arg(name="")] = field(
        default_factory=GenerateConfig
    )
    json: bool = False
    """Print what was made as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.lab.devices import use_all_cores

        use_all_cores()
        from psi.lab import store
        from psi.lab.generate import generate, runs_so_far
        from psi.report.progress import bar

        with bar("training networks", self.config.runs()) as update:
            generate(self.config, self.out, runs_so_far(update))
        records = store.read_records(self.out)
        ends = records[records.epoch == 0].outcome.value_counts()
        made = {
            "out": str(self.out),
            "runs": self.config.runs(),
            "records": len(records),
            "outcomes": {str(name): int(count) for name, count in ends.items()},
        }
        if not self.json:
            shares = ", ".join(f"{count} {name}" for name, count in made["outcomes"].items())
            print(f"{made['runs']} runs ({shares}), {made['records']} records in {self.out}")
        return made


@dataclass(frozen=True)
class FitCommand:
    """Estimate the ideal rates of a data set and fit a law to them.

    Example: psi fit out/demo --kind curve --hold-out digits --out law.json
    """

    folder: tyro.conf.Positional[Path]
    """A data set: what psi generate or psi demo wrote."""
    out: Path
    """Law file: .json for a curve, .safetensors for a network."""
    kind: Literal["curve", "network"] = "curve"
    """A closed form or a small Flax network."""
    hold_out: tuple[str, ...] = ()
    """Domains (data sets or synthetic families) that the fit must not see."""
    seed: int = 0
    """Seed of bootstrap and initialisation."""
    json: bool = False
    """Print the law as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.fit.dataset import fit_dataset

        law = fit_dataset(self.folder, self.kind, self.hold_out, self.seed)
        law.save(self.out)
        if not self.json:
            _print_law(law)
        return law.document()


@dataclass(frozen=True)
class ShowCommand:
    """Print a law: formula, constants with intervals, domain, scores, provenance.

    Example: psi show out/demo/laws/curve.json --png law.png
    """

    law: tyro.conf.Positional[Path]
    """A law file."""
    png: Path | None = None
    """Draw Ψ over loss and epoch into this file."""
    epochs: int = 20
    """The budget T of the drawing."""
    json: bool = False
    """Print the law file's JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        law = psi.load(self.law)
        if self.png:
            from psi.report.figures import law_figure

            law_figure(law, self.epochs, self.png)
        if not self.json:
            _print_law(law)
        return law.document()


@dataclass(frozen=True)
class BenchCommand:
    """Benchmarks of the engine, the fits and the schedulers. Not there yet.

    Example: psi bench --json
    """

    json: bool = False
    """Print the figures as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        raise ValueError(f"bench is not there yet in version {psi.__version__}; try psi demo")


@dataclass(frozen=True)
class ReportCommand:
    """Make a demo's report.html again from its summary.json and figures.

    Example: psi report out/demo
    """

    folder: tyro.conf.Positional[Path] = Path("out/demo")
    """A finished demo."""
    json: bool = False
    """Print the summary as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.report.page import write_page

        summary = write_page(self.folder)
        if not self.json:
            _print_table(summary)
            print(f"Report: {self.folder / 'report.html'}")
        return summary


COMMANDS = {
    "demo": DemoCommand,
    "generate": GenerateCommand,
    "fit": FitCommand,
    "show": ShowCommand,
    "bench": BenchCommand,
    "report": ReportCommand,
}


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code. Set PSI_TRACEBACK to see where an error came from."""
    try:
        command = _parse(arguments)
        result = command.run()
        if command.json:
            print(json.dumps(result, allow_nan=False))
    except (ValueError, OSError) as error:
        if os.environ.get("PSI_TRACEBACK"):
            raise
        print(f"psi: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _parse(arguments: Sequence[str]) -> Any:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.extras.subcommand_cli_from_dict(
                COMMANDS, prog="psi", description=psi.__doc__, args=list(arguments)
            )
    except SystemExit as error:
        if not error.code:
            raise  # --help
        raise ValueError(_one_line(said.getvalue())) from None


def _one_line(box: str) -> str:
    """Tyro's framed message as one line, without its pointer to the help text."""
    bare = [re.sub(r"^[│╭╰─\s]+|[│╮╯─\s]+$", "", line) for line in box.splitlines()]
    words = " ".join(part for part in bare[1:] if part)
    return re.sub(r"\s*For full helptext.*$", "", words) + " (see psi --help)"


def _print_table(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from psi.report.page import table

    header, rows = table(summary["methods"])
    shown = Table(title=f"On {summary['task']['name']}, which no fit has seen")
    for number, name in enumerate(header):
        shown.add_column(
            name, justify="right" if number else "left", no_wrap=number in (0, len(header) - 1)
        )
    for row in rows:
        shown.add_row(*row, style="bold" if row[0].startswith("Ψ") else None)
    width = None if sys.stdout.isatty() else 180
    Console(width=width).print(shown)


def _print_law(law: psi.Law) -> None:
    print(f"Ψ = {law}")
    for name, value, low, high in law.constants:
        print(f"  {name} = {value:.4g}  [{low:.4g}, {high:.4g}] 95 % over tasks")
    print(f"optimizer  {law.optimizer}; typical ε_0 {law.initial_loss:.3g} nats")
    for name, (low, high) in zip(law.features, law.domain, strict=True):
        print(f"domain     {name} in [{low:.3g}, {high:.3g}]")
    print(f"rates      [{law.rates.low:.3g}, {law.rates.high:.3g}]")
    for name, value in law.scores:
        print(f"score      {name}: {value:.3g} nats")
    if law.provenance:
        made = law.provenance
        print(
            f"made from  data {made.data_hash[:12]}, config {made.config_hash[:12]}; "
            f"{', '.join(made.versions)}"
        )
