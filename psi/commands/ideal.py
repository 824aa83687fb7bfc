"""psi ideal."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import tyro

from psi.ideal.config import IdealConfig

if TYPE_CHECKING:
    import pandas as pd

PRODUCTS = (
    "surface.parquet", "outcomes.parquet", "branched.parquet", "ideal.parquet", "bias.parquet",
    "headroom.parquet", "figures", "summary.json",
)  # fmt: skip


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
    """Folder for the tables (Parquet), figures and summary.json; a rerun replaces them."""
    config: Annotated[IdealConfig, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes] = field(
        default_factory=IdealConfig
    )
    dry_run: bool = False
    """Say how much would be trained, and write nothing."""
    json: bool = False
    """Print summary.json on standard output."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.ideal.features import check_features
        from psi.ideal.study import parts, size
        from psi.lab.data import store
        from psi.lab.data.generate import read_config

        data = read_config(self.folder)
        check_features(store.read_tasks(self.folder))
        wanted = parts(data, self.config)
        epochs = sum(size(data, self.config, part) for part in wanted)
        if self.dry_run:
            runs = epochs // data.hyper.epochs
            if not self.json:
                print(
                    f"{len(wanted)} tables, {epochs:,} epochs of training (as much as {runs:,} "
                    f"whole runs); nothing was written"
                )
            return {"tables": len(wanted), "epochs": epochs, "runs": runs}
        return self._estimate(data, wanted)

    def _estimate(self, data: Any, wanted: Any) -> dict[str, Any]:
        from psi.ideal.study import continuation_of
        from psi.lab.data import store
        from psi.lab.engine.devices import prepare
        from psi.report.folder import publish, work_folder

        prepare()
        asked = asdict(self.config) | {"data": store.data_hash(self.folder)}
        asked["continuation"] = continuation_of(self.config.continuation, 1).name
        work = work_folder(self.out, store.digest(asked)[:12], "ideal")
        made = _parts(data, self.config, wanted, work)
        tables, summary = _tables(self.folder, made)
        for name, table in tables.items():
            _write(work / f"{name}.parquet", store.parquet(table))
        _draw(tables, work / "figures")
        summary |= {"config": asdict(self.config), "data": asked["data"]}
        _write(work / "summary.json", json.dumps(summary, indent=1, allow_nan=False).encode())
        publish(work, self.out, PRODUCTS)
        if not self.json:
            _print(tables, summary, self.out)
        return summary


def _parts(data: Any, how: IdealConfig, wanted: Any, work: Path) -> dict[Any, "pd.DataFrame"]:
    """Every part's table; those that an interrupted call has left are read back."""
    import pandas as pd

    from psi.ideal.study import make, size
    from psi.lab.data import store
    from psi.progress import within
    from psi.report.progress import bar

    (work / "parts").mkdir(exist_ok=True)
    made, done = {}, 0
    total = sum(size(data, how, part) for part in wanted)
    with bar("branching") as report:
        for part in wanted:
            file = work / "parts" / f"{part.name}.parquet"
            whole, note = size(data, how, part), f"{data.tasks[part.task]}, {part.kind}"
            if not file.exists():
                report(done, total, note)
                stage = within(report, done, whole, total, note)
                store.commit(file, store.parquet(make(data, how, part, stage)))
            made[part] = pd.read_parquet(file)
            done += whole
        report(total, total, "")
    return made


def _tables(folder: Path, made: dict[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(table of each kind, what summary.json says)."""
    import pandas as pd

    from psi.ideal.binned import By, Features, binned_surface
    from psi.ideal.outcomes import outcome_surface
    from psi.ideal.rate import ideal_rates
    from psi.ideal.smooth import smooth_surface
    from psi.lab.data import store
    from psi.report.progress import bar

    records, tasks = store.read_records(folder), store.read_tasks(folder)
    surfaces, choices = [], {}
    kinds = [(f, b) for f in get_args(Features) for b in get_args(By)]
    with bar("surfaces of the records") as report:
        for done, (features, by) in enumerate(kinds):
            report(done, len(kinds) + 1, f"{features}, {by}")
            table = binned_surface(records, tasks, features, by)
            table, chosen = smooth_surface(records, tasks, table, features, by)
            surfaces.append(table)
            choices |= {f"{features} {name}": choice for name, choice in chosen.items()}
        report(len(kinds), len(kinds) + 1, "outcomes")
        tables = {"surface": pd.concat(surfaces, ignore_index=True)}
        tables["outcomes"] = outcome_surface(records, tasks)
        report(len(kinds) + 1, len(kinds) + 1, "")
    branched = [
        (part, table) for part, table in made.items() if part.kind == "branched" and len(table)
    ]
    if not branched:
        raise ValueError("no data: every state that rates could branch off has diverged")
    ideal = [ideal_rates(table).assign(label=table.label.iloc[0]) for _, table in branched]
    tables["ideal"] = pd.concat(ideal, ignore_index=True)
    tables["branched"] = pd.concat([t.drop(columns=["resampled", "groups"]) for _, t in branched])
    for kind in ("bias", "headroom"):
        own = [table for part, table in made.items() if part.kind == kind]
        if own:
            tables[kind] = pd.concat(own, ignore_index=True)
    told = {str(label): _told(own) for label, own in tables["ideal"].groupby("label")}
    models = {name: choice._asdict() for name, choice in choices.items()}
    return tables, {"identifiability": told, "smooth": models} | _numbers(tables)


def _told(ideal: "pd.DataFrame") -> dict[str, Any]:
    """How well ε and i are told apart, or why that cannot be said."""
    from psi.ideal.identify import identifiability

    try:
        return _finite(identifiability(ideal)._asdict())
    except ValueError as error:
        return {"verdict": f"no data: {error}"}


def _numbers(tables: dict[str, Any]) -> dict[str, Any]:
    ideal, surface = tables["ideal"], tables["surface"]
    found: dict[str, Any] = {
        "cells": len(ideal),
        "cells_sure": int(ideal.sure.sum()),
        "bins": len(surface),
        "bins_visited": int(surface.visited.sum()),
    }
    if "headroom" in tables:
        columns = ["task", "headroom", "headroom_low", "headroom_high"]
        found["headroom"] = tables["headroom"][columns].to_dict("records")
    return found


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity."""
    return {
        k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()
    }


def _write(path: Path, content: bytes) -> None:
    from psi.lab.data import store

    path.unlink(missing_ok=True)  # of a call that was interrupted after this
    store.commit(path, content)


def _draw(tables: dict[str, Any], folder: Path) -> None:
    from psi.report import ideal as figures

    folder.mkdir(exist_ok=True)
    surface = tables["surface"]
    by_task = surface[(surface.by == "task") & (surface.features == "raw")]
    pooled = surface[(surface.by == "pooled") & (surface.features == "relative")]
    figures.gain_figure(by_task, folder / "surface.png")
    figures.relief_figure(pooled, folder / "relief.png")
    figures.outcomes_figure(tables["outcomes"], folder / "outcomes.png")
    figures.ideal_figure(tables["ideal"], folder / "ideal.png")
    if "bias" in tables:
        figures.bias_figure(tables["bias"], folder / "bias.png")
    if "headroom" in tables:
        figures.headroom_figure(tables["headroom"], folder / "headroom.png")


def _print(tables: dict[str, Any], summary: dict[str, Any], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=110)
    shown = Table(title="Ideal rates of sure cells")
    for name in ("task", "label", "sure", "cells", "lowest", "median", "highest"):
        shown.add_column(name, justify="left" if name in ("task", "label") else "right")
    for (task, label), own in tables["ideal"].groupby(["task", "label"], sort=False):
        sure = own[own.sure].lr
        rates = [f"{q:.3g}" for q in sure.quantile([0.0, 0.5, 1.0])] if len(sure) else ["—"] * 3
        shown.add_row(str(task), str(label), str(len(sure)), str(len(own)), *rates)
    console.print(shown)
    if "headroom" in tables:
        shown = Table(title="Headroom: nats between the best constant rate and the oracle")
        for name in ("task", "constant", "linear", "cosine", "oracle", "headroom", "95 %"):
            shown.add_column(name, justify="left" if name == "task" else "right")
        for row in tables["headroom"].itertuples():
            scores = [row.score_constant, row.score_linear, row.score_cosine, row.score_oracle]
            spread = f"[{row.headroom_low:+.2f}, {row.headroom_high:+.2f}]"
            shown.add_row(row.task, *(f"{s:.3f}" for s in scores), f"{row.headroom:+.3f}", spread)
        console.print(shown)
    for label, told in summary["identifiability"].items():
        print(f"{label}: {told['verdict']}")
    print(f"{summary['bins_visited']:,} of {summary['bins']:,} bins were visited. Tables: {out}")
