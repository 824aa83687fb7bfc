"""The main job: data → ideal rates → two laws → a training run on a task never seen.

    DIR/{manifest,records,tasks.parquet}   the data set
    DIR/laws/                              curve.json, network.safetensors
    DIR/figures/, DIR/summary.json, DIR/report.html

Everything is made in a hidden folder beside and moved into place at the end, so that a rerun
replaces a finished demo whole and goes on with an interrupted one.
"""

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import pandas as pd

import psi
from psi.bench.baselines import SCHEDULES
from psi.bench.contest import SCORING_SEEDS, contest, tunable, untuned_rates
from psi.bench.measures import Result, regret
from psi.demo_config import DemoConfig
from psi.fit.config import FitConfig
from psi.fit.dataset import PACKAGES, fit_surface
from psi.ideal.rate import ideal_rates
from psi.ideal.surface import response_surface
from psi.lab.data import store
from psi.lab.data.folder import publish, work_folder
from psi.lab.data.generate import generate
from psi.lab.data.sweep import peaks, task_key
from psi.lab.tasks.table import make_task
from psi.lab.tasks.task import Task
from psi.law.clock import Clock, rates_over
from psi.law.law import Law
from psi.report import figures
from psi.report.page import page
from psi.report.progress import bar

PRODUCTS = (
    "manifest",
    "records",
    "tasks.parquet",
    "laws",
    "figures",
    "report.html",
    "summary.json",
)
REFERENCE = "linear, tuned"
LAWS = (
    ("closed form", "laws/curve.json", FitConfig("curve", family="loss_power*polynomial")),
    ("network", "laws/network.safetensors", FitConfig("network")),
)


def demo(config: DemoConfig, out: Path, baselines: Sequence[str] = ()) -> dict[str, Any]:
    """Make the whole demo in `out`; returns what summary.json holds.

    `baselines`: rows of psi.bench.baselines.BASELINES that compete beside the plain schedules.
    Raises ValueError where one is unknown, or `out` cannot be written or holds no demo.
    """
    for name in baselines:
        tunable(name)
    asked = asdict(config) | ({"baselines": list(baselines)} if baselines else {})
    work = work_folder(out, store.digest(asked)[:12], "demo")
    times = _Seconds()
    data = config.data()
    with bar("training networks") as report:
        generate(data, work, report)
    times.note("data")
    records, tasks = store.read_records(work), store.read_tasks(work)
    surface = response_surface(records, tasks)
    ideal = ideal_rates(surface)
    times.note("ideal")
    laws = _fit(config, work, surface, ideal)
    times.note("fit")
    task = make_task(config.held_out, data.hyper)
    criterion = float(tasks.criterion[tasks.task == config.held_out].iloc[0])
    results = _contest(config, task, laws, records, tasks, criterion, baselines)
    times.note("contest")
    _draw(work / "figures", surface, ideal, task, laws, results, criterion)
    times.note("figures")
    summary = {
        "version": psi.__version__,
        "config": asdict(config),
        "machine": _machine(),
        "seconds": times.spent,
        "data": _data(records, tasks, ideal, config),
        "laws": [_law(fitted) for fitted in laws],
        "task": _task(task, criterion),
        "methods": _methods(results, task),
    }
    (work / "report.html").write_text(page(summary, work / "figures"))
    (work / "summary.json").write_text(json.dumps(summary, indent=1, allow_nan=False))
    publish(work, out, PRODUCTS)
    return summary


class Fitted(NamedTuple):
    """A law as it came back from its file."""

    name: str
    file: str
    law: Law


def _fit(
    config: DemoConfig, work: Path, surface: pd.DataFrame, ideal: pd.DataFrame
) -> list[Fitted]:
    """Fit both laws to all domains but the held-out one, save them and load them back."""
    (work / "laws").mkdir(exist_ok=True)
    fitted = []
    with bar("fitting laws") as report:
        for done, (name, file, settings) in enumerate(LAWS):
            report(done, len(LAWS), name)
            settings = replace(settings, seed=config.seed)
            fit_surface(work, surface, ideal, settings, (config.held_out,)).law.save(work / file)
            fitted.append(Fitted(f"Ψ {name}", file, psi.load(work / file)))
        report(len(LAWS), len(LAWS), "")
    return fitted


def _contest(
    config: DemoConfig,
    task: Task,
    laws: Sequence[Fitted],
    records: pd.DataFrame,
    tasks: pd.DataFrame,
    criterion: float,
    baselines: Sequence[str],
) -> list[Result]:
    data = config.data()
    untuned = untuned_rates(records, tasks[tasks.domain != task.facts.domain])
    key = task_key(config.seed, len(data.tasks))
    methods = [(fitted.name, fitted.law) for fitted in laws]
    with bar(f"training on {task.name}") as update:
        every, grid = (*SCHEDULES, *baselines), peaks(data)
        return contest(task, methods, untuned, grid, criterion, key, update, every)


def _draw(
    folder: Path,
    surface: pd.DataFrame,
    ideal: pd.DataFrame,
    task: Task,
    laws: Sequence[Fitted],
    results: Sequence[Result],
    criterion: float,
) -> None:
    folder.mkdir(exist_ok=True)
    seen = surface.domain != task.facts.domain
    figures.surface_figure(
        surface[seen], ideal[ideal.domain != task.facts.domain], folder / "surface.png"
    )
    own = ideal[ideal.domain == task.facts.domain]
    initial, epochs = float(own.initial_loss.mean()), task.facts.epochs
    figures.psi_figure(
        [figures.Surface(f.name, partial(rates_over, Clock(f.law, epochs, initial))) for f in laws],
        (min(0.01, initial / 10), initial),
        epochs,
        own,
        folder / "psi.png",
        task.facts.loss,
    )
    lines = [figures.Line(_label(r), r.mean_val_losses, r.mean_rates) for r in results]
    figures.curves_figure(lines, criterion, folder / "curves.png", task.facts.loss)
    figures.rates_figure(lines, folder / "rates.png")


def _label(method: Result) -> str:
    return method.name + (f" ({method.peak_rate:.2g})" if method.peak_rate else "")


def _data(
    records: pd.DataFrame, tasks: pd.DataFrame, ideal: pd.DataFrame, config: DemoConfig
) -> dict[str, Any]:
    return {
        "runs": config.data().runs(),
        "records": len(records),
        "tasks": list(tasks.task),
        "cells": len(ideal),
        "cells_sure": int(ideal[ideal.domain != config.held_out].sure.sum()),
    }


def _law(fitted: Fitted) -> dict[str, Any]:
    law = fitted.law
    return {
        "name": fitted.name,
        "file": fitted.file,
        "text": str(law),
        "constants": [each._asdict() for each in law.constants],
        "scores": [each._asdict() for each in law.scores],
    }


def _task(task: Task, criterion: float) -> dict[str, Any]:
    seeds = [int(seed) for seed in SCORING_SEEDS]
    return {"name": task.name, **asdict(task.facts), "criterion": criterion, "seeds": seeds}


def _methods(results: Sequence[Result], task: Task) -> list[dict[str, Any]]:
    reference = next(r for r in results if r.name == REFERENCE)
    return [r._asdict() | {"regret": regret(r, reference, task.facts)._asdict()} for r in results]


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


class _Seconds:
    """Wall-clock seconds of each stage, and in all."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {"total": 0.0}
        self._last = time.monotonic()

    def note(self, stage: str) -> None:
        moment = time.monotonic()
        self.spent[stage] = round(moment - self._last, 1)
        self.spent["total"] = round(self.spent["total"] + moment - self._last, 1)
        self._last = moment
