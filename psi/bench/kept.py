"""References that were measured once and are kept with their suite: references/NAME.parquet.

`python -m experiments.references NAME` measures what is missing. Rows are numbers of one kind each:
the floor, the mean losses of a schedule over its grid, the oracle's rates.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from psi.bench import suites
from psi.bench.baselines import SCHEDULES
from psi.bench.suites import Suite
from psi.bench.tuning import ORACLE, Reference
from psi.lab.data.store import parquet
from psi.law.file import write_atomic

FOLDER = Path(suites.__file__).with_name("references")
COLUMNS = ("suite", "optimizer", "task", "kind", "number", "rate", "loss")
FLOOR = "floor"


class Key(NamedTuple):
    """Which reference: of a task, by its number in the suite, under an optimizer."""

    optimizer: str
    task: int


References = Mapping[Key, Reference]


def kept(suite: Suite, folder: Path = FOLDER) -> References:
    """The references that are kept with a suite; none where its list has changed since."""
    file = folder / f"{suite.name}.parquet"
    if not file.exists():
        return {}
    table = pd.read_parquet(file)
    own = table[table.suite == suite.digest]
    pairs = own[["optimizer", "task"]].drop_duplicates().itertuples(index=False)
    return {
        Key(*pair): _reference(own[(own.optimizer == pair[0]) & (own.task == pair[1])])
        for pair in pairs
    }


def keep(suite: Suite, references: References, folder: Path = FOLDER) -> None:
    """Write all of a suite's references, whole or not at all."""
    rows = [
        (suite.digest, *key, *row) for key in sorted(references) for row in _rows(references[key])
    ]
    folder.mkdir(exist_ok=True)
    write_atomic(folder / f"{suite.name}.parquet", parquet(pd.DataFrame(rows, columns=[*COLUMNS])))


def _rows(reference: Reference) -> Iterator[tuple[str, int, float, float]]:
    yield FLOOR, 0, np.nan, reference.floor
    for name, losses in zip(SCHEDULES, reference.losses, strict=True):
        for number, (rate, loss) in enumerate(zip(reference.rates, losses, strict=True)):
            yield name, number, rate, loss
    for epoch, rate in enumerate(reference.oracle):
        yield ORACLE.name, epoch, rate, reference.oracle_runs


def _reference(rows: pd.DataFrame) -> Reference:
    of = {str(kind): own.sort_values("number") for kind, own in rows.groupby("kind")}
    grids = [of[name] for name in SCHEDULES]
    oracle = of.get(ORACLE.name)
    return Reference(
        float(of[FLOOR].loss.iloc[0]),
        grids[0].rate.to_numpy(),
        np.stack([grid.loss.to_numpy() for grid in grids]),
        np.zeros(0) if oracle is None else oracle.rate.to_numpy(),
        0 if oracle is None else int(oracle.loss.iloc[0]),
    )
