"""psi ideal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from psi.commands.files import check_data
from psi.commands.printing import print_table
from psi.ideal.config import IdealConfig

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class IdealCommand:
    """Estimate what the best rate was: response surface, ideal rates by branching, oracle.

    Rerun the same command to go on after an interruption.
    Example: psi ideal out/data --out out/ideal
    Example: psi ideal out/data --out out/ideal --horizon 1 4 end --tasks teacher-0 --bias --oracle
    """

    folder: tyro.conf.Positional[Path]
    """A data set: what psi generate or psi demo wrote."""
    out: Path
    """Folder for the tables (Parquet), figures and summary.json; those of another config are
    replaced."""
    config: Annotated[IdealConfig, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes] = field(
        default_factory=IdealConfig
    )
    dry_run: bool = False
    """Say how much would be trained, and write nothing."""
    plugin: tuple[Path, ...] = ()
    """Python files that the data set was made with (psi generate --plugin)."""
    json: bool = False
    """Print summary.json on standard output."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        check_data(self.folder)
        from psi.ideal.estimate import amount, estimate
        from psi.lab.data.store import read_tasks
        from psi.lab.engine.devices import prepare
        from psi.report.progress import bar

        needed = amount(self.folder, self.config)
        if self.dry_run:
            if not self.json:
                print(
                    f"{needed.tables} tables, {needed.epochs:,} epochs of training (as much as "
                    f"{needed.runs:,} whole runs); nothing was written"
                )
            return needed._asdict()
        prepare()
        tasks = read_tasks(self.folder)
        losses = dict(zip(tasks.task, tasks.loss, strict=True))
        found = estimate(self.folder, self.out, self.config, bar, partial(_draw, losses))
        if not self.json:
            _print(found.tables, found.summary, self.out)
        return found.summary


def _draw(losses: Mapping[str, str], tables: Mapping[str, "pd.DataFrame"], folder: Path) -> None:
    from psi.report import ideal as figures

    surface = tables["surface"]
    by_task = surface[(surface.by == "task") & (surface.features == "raw")]
    pooled = surface[(surface.by == "pooled") & (surface.features == "relative")]
    figures.gain_figure(by_task, folder / "surface.png", losses)
    figures.relief_figure(pooled, folder / "relief.png")
    figures.outcomes_figure(tables["outcomes"], folder / "outcomes.png")
    figures.ideal_figure(tables["ideal"], folder / "ideal.png")
    for name, draw in (("bias", figures.bias_figure), ("headroom", figures.headroom_figure)):
        if name in tables:
            draw(tables[name], folder / f"{name}.png")


def _print(tables: Mapping[str, "pd.DataFrame"], summary: dict[str, Any], out: Path) -> None:
    rows = []
    for (task, label), own in tables["ideal"].groupby(["task", "label"], sort=False):
        sure = own[own.sure].lr
        rates = [f"{q:.3g}" for q in sure.quantile([0.0, 0.5, 1.0])] if len(sure) else ["—"] * 3
        rows.append((str(task), str(label), str(len(sure)), str(len(own)), *rates))
    columns = ("task", "label", "sure", "cells", "lowest", "median", "highest")
    print_table("Ideal rates of sure cells", columns, rows, columns[:2], 110)
    if "headroom" in tables:
        columns = ("task", "constant", "linear", "cosine", "oracle", "headroom", "95 %")
        scores = [f"score_{name}" for name in columns[1:5]]
        rows = []
        for row in tables["headroom"].to_dict("records"):
            spread = f"[{row['headroom_low']:+.2f}, {row['headroom_high']:+.2f}]"
            numbers = [f"{row[score]:.3f}" for score in scores]
            rows.append((str(row["task"]), *numbers, f"{row['headroom']:+.3f}", spread))
        title = "Headroom: nats between the best constant rate and the oracle"
        print_table(title, columns, rows, columns[:1], 110)
    for label, verdict in summary["identifiability"].items():
        print(f"{label}: {verdict['verdict']}")
    print(f"{summary['bins_visited']:,} of {summary['bins']:,} bins were visited. Tables: {out}")
