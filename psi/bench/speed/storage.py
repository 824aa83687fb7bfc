"""What committing costs, and how soon a long sweep goes on after a stop.

A folder of many finished parts is made by linking one part under all names; the command that goes
on with it is a process of its own, timed from its start until the part that was missing is there.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from psi.bench.speed.engine import canonical_task, recorded_job
from psi.lab.data import store
from psi.lab.data.config import GenerateConfig
from psi.lab.data.generate import generate
from psi.lab.data.sweep import PILOT, Criteria, Part, make, parts, train_calls
from psi.lab.engine.timing import seconds
from psi.lab.engine.work import Layout, layout
from psi.lab.hyper import Hyper
from psi.progress import Report, silent


def bench_storage(finished: int = 10_000, report: Report = silent) -> dict[str, Any]:
    """All figures, by the names that `psi bench storage --json` prints."""
    report(0, 100, "a few finished parts")
    few = resume_seconds(10)
    report(30, 100, f"{finished} finished parts")
    many = resume_seconds(finished)
    report(80, 100, "committing")
    job = recorded_job(canonical_task(), 2048, layout().width)
    calls = list(range(job.work.calls))
    _, spent = seconds(lambda: list(train_calls(job, calls, 0.1)), repeats=2)
    commit = commit_seconds([frame for _, frame in train_calls(job, calls, 0.1)])
    report(100, 100, "")
    return {
        "finished_parts": finished, "resume_s": round(many, 2), "resume_s_10_parts": round(few, 2),
        "commit_ms_a_part": round(1000 * commit / len(calls), 2),
        "crash_safety_fraction": round(commit / (spent + commit), 4),
    }  # fmt: skip


def resume_seconds(finished: int = 10_000) -> float:
    """From the start of a process to its first new part, `finished` parts being there.

    The cache of compiled programs is warm: the same command has run before.
    """
    shape = layout()
    seeds = shape.units * (finished + 1)
    config = GenerateConfig(("wine",), Hyper(2), trajectories=shape.width, cells=0, seeds=seeds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        generate(config, folder, shape=shape, engine=_first_part)
        names = [part.name for part in parts(config, shape)]
        _link(folder, names[0], names[1:finished])
        command = [sys.executable, "-m", "psi", "generate", "--out", str(folder), "--tasks", "wine"]
        command += ["--epochs", "2", "--trajectories", str(shape.width), "--cells", "0"]
        return _until([*command, "--seeds", str(seeds)], folder / "manifest" / f"{names[-1]}.json")


def _until(command: Sequence[str], file: Path) -> float:
    """Seconds from the start of a command until a file is there."""
    start = time.perf_counter()
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        while not file.exists():
            if process.poll() is not None:
                raise RuntimeError(f"{command} ended with {process.returncode}, without {file}")
            time.sleep(0.01)
        return time.perf_counter() - start


def commit_seconds(frames: Sequence[pd.DataFrame]) -> float:
    """What committing parts takes beyond encoding their records and writing them to files."""

    def committed() -> None:
        with tempfile.TemporaryDirectory() as name, store.locked(folder := Path(name)):
            for number, frame in enumerate(frames):
                store.write_part(folder, f"part-{number}", frame)

    def plain() -> None:
        with tempfile.TemporaryDirectory() as name:
            for number, frame in enumerate(frames):
                (Path(name) / f"part-{number}").write_bytes(store.parquet(frame))

    return seconds(committed)[1] - seconds(plain)[1]


def _first_part(
    config: GenerateConfig, shape: Layout, wanted: Sequence[Part], criteria: Criteria
) -> Iterator[tuple[Part, pd.DataFrame]]:
    return make(config, shape, [p for p in wanted if p.call in (PILOT, 0)], criteria)


def _link(folder: Path, name: str, others: Sequence[str]) -> None:
    entry: dict[str, Any] = json.loads((folder / "manifest" / f"{name}.json").read_text())
    for other in others:
        part = folder / "records" / f"{name}.parquet"
        os.link(part, part.with_stem(other))
        (folder / "manifest" / f"{other}.json").write_text(json.dumps(entry | {"name": other}))
