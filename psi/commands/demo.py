"""psi demo and psi report."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from psi.lab.data.config import DemoConfig


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
        from psi.lab.engine.devices import prepare

        prepare()
        from psi.demo import demo
        from psi.report.page import legend, machine

        summary = demo(self.config, self.out)
        if not self.json:
            _print_table(summary)
            print(legend(summary))
            print(f"{machine(summary)}. Report: {self.out / 'report.html'}")
        return summary


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
