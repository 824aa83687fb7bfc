"""psi report: a demo's page and table again."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro


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
            print_summary(summary)
            print(f"Report: {self.folder / 'report.html'}")
        return summary


def print_summary(summary: dict[str, Any]) -> None:
    """The methods of a demo's summary as a table, the laws in bold."""
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
