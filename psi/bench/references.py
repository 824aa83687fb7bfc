"""What laws are compared with on the held-out tasks, measured once and kept: references.csv.

For each optimizer and task: L* of the score, the plain schedules' peak rates tuned on seeds 0–4,
and the headroom. `python -m experiments.closed_forms.references` makes the file; no law is
involved.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from psi.bench.baselines import SCHEDULES

FILE = Path(__file__).with_name("references.csv")
KEYS = ["optimizer", "task"]
HEADROOM = ["headroom", "headroom_low", "headroom_high"]


class Reference(NamedTuple):
    """What laws are compared with on one task under one optimizer."""

    floor: float
    """L*: 0 on fixed data, a stream's Bayes loss; of text what ten times the budget reaches."""
    peaks: Mapping[str, float]
    """The tuned peak rate of each plain schedule."""


def reference(optimizer: str, task: str, file: Path = FILE) -> Reference:
    """The references of a task. Raises ValueError where the file has none."""
    table = pd.read_csv(file)
    rows = table[(table.optimizer == optimizer) & (table.task == task)]
    if len(rows) != 1:
        raise ValueError(f"{file.name} must have one row of {optimizer}, {task}; got {len(rows)}")
    row = rows.iloc[0]
    return Reference(float(row.floor), {name: float(row[name]) for name in SCHEDULES})


def headroom(file: Path = FILE) -> pd.DataFrame:
    """Table of how much a schedule can matter [nats], with its interval, by optimizer and task."""
    return pd.read_csv(file)[[*KEYS, *HEADROOM]]
