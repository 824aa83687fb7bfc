"""psi records: what a data set holds, and whether it is whole."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from psi.commands.files import check_output
from psi.commands.printing import print_table


@dataclass(frozen=True)
class RecordsCommand:
    """Say what a data set holds, and whether it is whole.

    Example: psi records out/data --png out/data.png
    """

    folder: tyro.conf.Positional[Path]
    """A data set: what psi generate or psi demo wrote."""
    check: bool = False
    """Read every byte and compare every hash; exit 2 where a part is lost or damaged."""
    png: Path | None = None
    """Draw what is inside into this file."""
    json: bool = False
    """Print it as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        if self.png:
            check_output("png", self.png, ".png")
        from psi.lab.data import store
        from psi.lab.data.inventory import inventory

        if self.check and (faults := store.check(self.folder)):
            raise ValueError(f"{len(faults)} parts are damaged: {'; '.join(faults[:5])}")
        table = inventory(self.folder)
        if self.png:
            from psi.report.records import records_figure

            records_figure(store.read_tasks(self.folder), store.read_records(self.folder), self.png)
        rows, size = store.sizes(self.folder)
        if not self.json:
            title = f"{self.folder}: {rows:,} records, {size / 1e6:.1f} MB"
            cells = [
                [f"{v:.3g}" if isinstance(v, float) else str(v) for v in row]
                for row in table.itertuples(index=False)
            ]
            print_table(title, list(table.columns), cells, ["task"])
        # No number where every run of a task has diverged; JSON knows no NaN.
        tasks = table.astype(object).where(table.notna(), None).to_dict("records")
        return {"rows": rows, "bytes": size, "tasks": tasks}
