"""psi report: a demo's page and table again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from psi.commands.printing import print_table


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
    from psi.report.page import table

    header, rows = table(summary["methods"])
    title = f"On {summary['task']['name']}, which no fit has seen"
    print_table(
        title, header, rows, header[:1], 180, unbroken=(header[0], header[-1]),
        style=lambda row: "bold" if row[0].startswith("Ψ") else "",
    )  # fmt: skip
