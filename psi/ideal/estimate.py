"""From a data set on disk to the tables of its estimates: what `psi ideal` writes.

    OUT/surface.parquet    the response surface of the records, over (ε, i, α)
    OUT/outcomes.parquet   time, accuracy and reliability over (i, α)
    OUT/branched.parquet   what each candidate rate of each cell was worth
    OUT/ideal.parquet      the ideal rate of each cell
    OUT/bias.parquet, OUT/headroom.parquet    where they are asked for
    OUT/summary.json       numbers of all this, the config, and the hash of the data set

Everything is made in a hidden folder inside OUT, part by part, and moved into place at the end:
the same call goes on with an interrupted one and reads a finished one back; another replaces it
whole.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pandas as pd

from psi.ideal.binned import By, Features, binned_surface
from psi.ideal.config import IdealConfig
from psi.ideal.features import check_features
from psi.ideal.identify import identifiability
from psi.ideal.outcomes import outcome_surface
from psi.ideal.rate import ideal_rates
from psi.ideal.smooth import smooth_surface
from psi.ideal.study import Part, continuation_of, make, parts, size
from psi.lab.data import store
from psi.lab.data.config import GenerateConfig
from psi.lab.data.folder import publish, work_folder
from psi.lab.data.generate import read_config
from psi.progress import Bar, no_bar, within

PRODUCTS = (
    "surface.parquet", "outcomes.parquet", "branched.parquet", "ideal.parquet", "bias.parquet",
    "headroom.parquet", "figures", "summary.json",
)  # fmt: skip
Tables = Mapping[str, pd.DataFrame]
"""surface, outcomes, branched, ideal, and where asked for bias and headroom."""


class Estimates(NamedTuple):
    """What `psi ideal` has found."""

    tables: Tables
    summary: dict[str, Any]
    """What summary.json holds."""


class Amount(NamedTuple):
    """How much is to be trained."""

    tables: int
    epochs: int
    runs: int
    """Whole runs that are as many epochs."""


def amount(folder: Path, config: IdealConfig) -> Amount:
    """What `estimate` would train. Raises ValueError as `estimate` does, trains nothing."""
    data, wanted = _wanted(folder, config)
    epochs = sum(size(data, config, part) for part in wanted)
    return Amount(len(wanted), epochs, epochs // data.hyper.epochs)


def estimate(
    folder: Path,
    out: Path,
    config: IdealConfig | None = None,
    bar: Bar = no_bar,
    draw: Callable[[Tables, Path], None] = lambda *_: None,
) -> Estimates:
    """Estimate what the best rates of a data set were, and write the tables to `out`.

    Args:
        folder: a data set, as `psi generate` makes it.
        out: where the tables are written; an interrupted call goes on there, a finished one is
            read back.
        config: horizons (epochs), cells, candidate rates, ….
        bar: opens a progress report.
        draw: (tables, folder of figures) → None, called before anything is published.

    Returns:
        The tables and the summary.

    Raises:
        ValueError: where `folder` is no data set, `out` cannot be written, a task or horizon is
            not in the data, or every state that rates could branch off has diverged.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import psi
        >>> sizes = {"trajectories": 0, "cells": 4, "candidates": 4, "seeds": 2}
        >>> config = psi.GenerateConfig(("noisy_quadratic",), psi.Hyper(epochs=4), **sizes)
        >>> few = psi.IdealConfig(cells=4, states=2, orders=2, rates=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     psi.generate(config, Path(folder) / "data")
        ...     found = psi.estimate(Path(folder) / "data", Path(folder) / "ideal", few)
        >>> found.tables["ideal"].epoch.tolist()  # i of each cell
        [0, 1, 2, 3]
    """
    config = config or IdealConfig()
    data, wanted = _wanted(folder, config)
    asked = asdict(config) | {"data": store.data_hash(folder)}
    asked["continuation"] = continuation_of(config.continuation, 1).name
    identity = store.digest(asked)
    if (found := _finished(out, identity)) is not None:
        return found
    work = work_folder(out, identity[:12], "ideal")
    made = _parts(data, config, wanted, work, bar)
    tables, summary = _tables(folder, made, bar)
    for name, table in tables.items():
        _write(work / f"{name}.parquet", store.parquet(table))
    (work / "figures").mkdir(exist_ok=True)
    draw(tables, work / "figures")
    summary |= {"config": asdict(config), "data": asked["data"], "identity": identity}
    _write(work / "summary.json", json.dumps(summary, indent=1, allow_nan=False).encode())
    publish(work, out, PRODUCTS)
    return Estimates(tables, summary)


def _finished(out: Path, identity: str) -> Estimates | None:
    """What a finished call of the same config and data has written."""
    if not (out / "summary.json").is_file():
        return None
    summary = json.loads((out / "summary.json").read_text())
    if summary.get("identity") != identity:
        return None
    files = [out / name for name in PRODUCTS if name.endswith(".parquet")]
    return Estimates({f.stem: store.read_table(f) for f in files if f.exists()}, summary)


def _wanted(folder: Path, config: IdealConfig) -> tuple[GenerateConfig, list[Part]]:
    data = read_config(folder)
    check_features(store.read_tasks(folder))
    return data, parts(data, config)


def _parts(
    data: GenerateConfig, config: IdealConfig, wanted: list[Part], work: Path, bar: Bar
) -> dict[Part, pd.DataFrame]:
    """Every part's table; those that an interrupted call has left are read back."""
    (work / "parts").mkdir(exist_ok=True)
    made, done = {}, 0
    total = sum(size(data, config, part) for part in wanted)
    with bar("branching") as report:
        for part in wanted:
            file = work / "parts" / f"{part.name}.parquet"
            whole, note = size(data, config, part), f"{data.label(part.task)}, {part.kind}"
            try:
                made[part] = store.read_table(file)
            except store.RecordsError:  # not made yet, or damaged
                report(done, total, note)
                stage = within(report, done, whole, total, note)
                _write(file, store.parquet(make(data, config, part, stage)))
                made[part] = store.read_table(file)
            done += whole
        report(total, total, "")
    return made


def _tables(
    folder: Path, made: Mapping[Part, pd.DataFrame], bar: Bar
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """(table of each kind, what summary.json says)."""
    tables, models = _of_records(folder, bar)
    branched = [table for part, table in made.items() if part.kind == "branched" and len(table)]
    if not branched:
        raise ValueError("no data: every state that rates could branch off has diverged")
    ideal = [ideal_rates(table).assign(label=table.label.iloc[0]) for table in branched]
    tables["ideal"] = pd.concat(ideal, ignore_index=True)
    tables["branched"] = pd.concat([t.drop(columns=["resampled", "groups"]) for t in branched])
    for kind in ("bias", "headroom"):
        own = [table for part, table in made.items() if part.kind == kind]
        if own:
            tables[kind] = pd.concat(own, ignore_index=True)
    verdicts = {str(label): _verdict(own) for label, own in tables["ideal"].groupby("label")}
    return tables, {"identifiability": verdicts, "smooth": models} | _numbers(tables)


def _of_records(folder: Path, bar: Bar) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """(surface and outcomes of the records, which model smooths each surface)."""
    records, tasks = store.read_records(folder), store.read_tasks(folder)
    surfaces, models = [], {}
    kinds = [(f, b) for f in get_args(Features) for b in get_args(By)]
    with bar("surfaces of the records") as report:
        for done, (features, by) in enumerate(kinds):
            report(done, len(kinds) + 1, f"{features}, {by}")
            table = binned_surface(records, tasks, features, by)
            table, chosen = smooth_surface(records, tasks, table, features, by)
            surfaces.append(table)
            models |= {f"{features} {name}": each._asdict() for name, each in chosen.items()}
        report(len(kinds), len(kinds) + 1, "outcomes")
        tables = {"surface": pd.concat(surfaces, ignore_index=True)}
        tables["outcomes"] = outcome_surface(records, tasks)
        report(len(kinds) + 1, len(kinds) + 1, "")
    return tables, models


def _verdict(ideal: pd.DataFrame) -> dict[str, Any]:
    """How well ε and i are told apart, or why that cannot be said."""
    try:
        found = identifiability(ideal)._asdict()
    except ValueError as error:
        return {"verdict": f"no data: {error}"}
    # JSON knows no infinity.
    return {
        k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()
    }


def _numbers(tables: Tables) -> dict[str, Any]:
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


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # of a call that was interrupted after this
    store.commit(path, content)
