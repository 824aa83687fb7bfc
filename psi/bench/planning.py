"""What a run of a suite would train, said before anything is trained."""

from pathlib import Path
from typing import NamedTuple

from psi.bench.contestants import Contestants, jobs, missing
from psi.bench.running import runs_of
from psi.bench.suites import Suite
from psi.lab.data import store


class Planned(NamedTuple):
    """One job: contestants that train beside each other on one task."""

    task: str
    optimizer: str
    contestants: list[str]
    missing: list[str]
    """Those whose runs are not in the folder."""
    runs: int
    """Networks to be trained for these, about: grids are extended, searches differ."""


def planned(suite: Suite, who: Contestants, folder: Path | None = None) -> list[Planned]:
    """Every job of a suite's run, with what is left of it. Writes nothing.

    Raises ValueError where the folder holds another suite.
    """
    kept = {path.stem for path in folder.glob("manifest/part-*.json")} if folder else set()
    if folder and kept and store.config_of(folder).get("digest") != suite.digest:
        raise ValueError(f"{folder} holds runs on other tasks or data: choose another folder")
    left = {each.number: each.left for each in missing(suite, who, kept)}
    return [
        Planned(
            suite.specs[job.task].name,
            job.optimizer,
            [each.name for each in job.contestants],
            [each.name for each in left.get(number, ())],
            runs_of(left.get(number, ())),
        )
        for number, job in enumerate(jobs(suite, who))
    ]
