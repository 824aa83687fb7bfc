"""Every picture that psi draws, each from tables of every kind: a table of pictures × spreads."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import psi
from experiments.closed_forms.plot import shapes_figure, tasks_figure
from psi.advice.diagnosis import diagnose
from psi.advice.log import Log, Series
from psi.advice.range_test import suggestion
from psi.advice.replay import replay_log
from psi.advice.smoothing import trend
from psi.fit.power_law import PowerLaw
from psi.fit.runs import Columns
from psi.fit.sweep import Best
from psi.law.law import FittedConstant, Range
from psi.report import figures, ideal
from psi.report.diagnosis import diagnosis_figure
from psi.report.front import front_figure
from psi.report.range_test import range_figure
from psi.report.records import records_figure
from psi.report.sweep import sweep_figure


class Spread(NamedTuple):
    """How many tasks, epochs and cells there are, and over what range their values lie."""

    tasks: int
    epochs: int
    low: float
    high: float
    missing: float = 0.0
    loss: str = "cross_entropy"
    name: str = "task"


SPREADS = {
    "usual": Spread(5, 20, 0.01, 1.0),
    "many tasks": Spread(14, 40, 0.003, 3.0, name="digits, epochs=10, batch=16, width=64, adam"),
    "one task": Spread(1, 12, 0.05, 2.0),
    "one epoch": Spread(2, 1, 0.1, 0.5),
    "eight decades": Spread(3, 30, 1e-6, 1e2),
    "less than a decade": Spread(3, 10, 0.21, 0.38),
    "a thousandth": Spread(3, 10, 0.5, 0.5005),
    "constant": Spread(3, 8, 0.1, 0.1),
    "half is missing": Spread(3, 10, 0.01, 1.0, missing=0.5),
    "all is missing": Spread(2, 6, 0.01, 1.0, missing=1.0),
    "squared error": Spread(4, 10, 1e2, 1e5, loss="squared_error"),
    "tiny rates": Spread(4, 600, 1e-9, 3e-7),
}


def draws(s: Spread, count: int, missing: bool = True, seed: int = 0) -> np.ndarray:
    """Values equally likely in the logarithm, the ends among them; some of them missing."""
    rng = np.random.default_rng([seed, count])
    values = np.exp(rng.uniform(np.log(s.low), np.log(s.high), count))
    values[: min(2, count)] = (s.low, s.high)[: min(2, count)]
    if missing and s.missing:
        values[rng.random(count) < s.missing] = np.nan
    return values


def names(s: Spread) -> list[str]:
    return [f"{s.name}-{k}" for k in range(s.tasks)]


def units(s: Spread) -> dict[str, str]:
    return dict.fromkeys(names(s), s.loss)


def cells(s: Spread) -> pd.DataFrame:
    """Four rates tried in each of some cells, with their scores."""
    each = min(s.epochs, 12)
    rows = []
    for task in names(s):
        for cell, epoch in enumerate(np.unique(np.linspace(0, s.epochs - 1, each).astype(int))):
            rows += [(task, cell, epoch)] * 4
    table = pd.DataFrame(rows, columns=["task", "cell", "epoch"])
    size = len(table)
    loss = np.repeat(draws(s, size // 4), 4)
    return table.assign(
        epochs=s.epochs, loss=loss, initial_loss=s.high, lr=draws(s, size, False, 1),
        score=-np.abs(np.log(draws(s, size))), sure=np.arange(size) % 4 == 0,
    )  # fmt: skip


def ideal_table(s: Spread) -> pd.DataFrame:
    table = cells(s)[::4].reset_index(drop=True)
    low, high = table.lr / 1.5, table.lr * 2
    low[::3], high[1::3] = np.nan, np.inf  # open on a side
    sure = table.loss.notna() & (np.arange(len(table)) % 5 > 0)
    labels = np.where(np.arange(len(table)) % 2, "linear-1", "linear-end")
    return table.assign(lr_low=low, lr_high=high, label=labels, sure=sure)


def surface(s: Spread, epochs: int = 4) -> pd.DataFrame:
    """Bins of every task over epoch, loss and rate."""
    edges = np.geomspace(s.low, max(s.high, 1.01 * s.low), 7)
    epoch = np.linspace(0, s.epochs, epochs + 1)
    rows = [
        (task, epoch[i], epoch[i + 1], edges[j], edges[j + 1], edges[k], edges[k + 1])
        for task in names(s)
        for i in range(epochs)
        for j in range(6)
        for k in range(6)
    ]
    columns = ["epoch_low", "epoch_high", "loss_low", "loss_high", "lr_low", "lr_high"]
    table = pd.DataFrame(rows, columns=["group", *columns])
    rate = np.log(draws(s, len(table)) / s.low) - 1
    lr, loss = np.sqrt(table.lr_low * table.lr_high), np.sqrt(table.loss_low * table.loss_high)
    visited = np.isfinite(rate) & (np.arange(len(table)) % 7 > 0)
    return table.assign(rate=rate, lr=lr, loss=loss, visited=visited, visits=9)


def outcomes(s: Spread) -> pd.DataFrame:
    table = surface(s).rename(columns={"group": "task"}).drop_duplicates(
        ["task", "epoch_low", "lr_low"]
    )  # fmt: skip
    share = draws(s, len(table)) / s.high
    time = np.where(share < 0.3, np.inf, np.ceil(share * s.epochs))
    return table.assign(time=time, accuracy=share, reliability=share)


def lines(s: Spread) -> list[figures.Line]:
    methods = ["Ψ closed form", "Ψ network"]
    for shape in ("constant", "linear", "cosine", *names(s)):
        methods += [f"{shape}, untuned (0.39)", f"{shape}, tuned (0.61)"]
    return [
        figures.Line(name, [v if np.isfinite(v) else None for v in draws(s, s.epochs, True, k)],
                     [*draws(s, s.epochs - 1, False, k), 0.0])
        for k, name in enumerate(methods)
    ]  # fmt: skip


def records(s: Spread) -> tuple[pd.DataFrame, pd.DataFrame]:
    tasks = pd.DataFrame({"task": names(s), "loss": s.loss})
    tasks = tasks.assign(chance_loss=s.high, criterion=np.nan if s.missing == 1 else s.low)
    table = pd.DataFrame(
        [(t, run, i) for t in names(s) for run in range(12) for i in range(min(s.epochs, 30))],
        columns=["task", "run", "epoch"],
    )
    outcome = np.array(["exhausted", "converged", "diverged"])[table.run % 3]
    loss = np.where(outcome == "diverged", np.nan, draws(s, len(table)))
    return tasks, table.assign(lr=draws(s, len(table), False), val_loss=loss, outcome=outcome)


def front(s: Spread) -> pd.DataFrame:
    held = np.sort(draws(s, s.epochs, False))[::-1]
    formulas = ["0.1", "0.3*loss", "0.2*(1 - progress)^0.7*loss_ratio^(-0.4)"]
    return pd.DataFrame(
        {
            "complexity": range(1, s.epochs + 1), "n_constants": 1, "held_out": held,
            "error": held / 1.1, "gap_error": held / (0.5 if s.missing else 5),
            "formula": [formulas[k % 3] for k in range(s.epochs)],
            "chosen": [k == s.epochs // 2 for k in range(s.epochs)],
        }
    )  # fmt: skip


def bias(s: Spread) -> pd.DataFrame:
    horizons = sorted({1, *(h for h in (2, 4, 8, 16, 19) if h < s.epochs), s.epochs})
    table = pd.DataFrame([(t, h) for t in names(s) for h in horizons], columns=["task", "horizon"])
    regret = draws(s, len(table)) / s.high
    return table.assign(
        mean_lr=draws(s, len(table), False), regret=regret, regret_low=regret - 0.1,
        regret_high=regret + 0.3,
    )  # fmt: skip


def headroom(s: Spread) -> pd.DataFrame:
    gain = draws(s, s.tasks)
    return pd.DataFrame(
        {"task": names(s), "headroom": gain, "headroom_low": gain * 0.5, "headroom_high": gain * 2,
         "score_constant": -1.0, "score_linear": -1.0 - gain / 3}
    )  # fmt: skip


def held_out(s: Spread) -> pd.DataFrame:
    rows = [
        (law, t)
        for law in ("sgd@0.1.0", "adam@0.1.0", "sgd-scaled", "adam-scaled")
        for t in names(s)
    ]
    table = pd.DataFrame(rows, columns=["law", "task"])
    for k, name in enumerate(
        ("linear_tuned", *(f"{n}_single" for n in ("constant", "linear", "cosine")))
    ):
        table[f"regret_{name}"] = draws(s, len(table), seed=k) / s.high - 0.2
    return table


def planes(s: Spread, path: Path) -> None:
    middle = (s.low * s.high) ** 0.5
    laws = [
        figures.Surface("Ψ closed form", lambda loss, _: np.clip(loss, s.low, s.high)),
        figures.Surface("Ψ network", lambda loss, i: 0 * loss + middle * (1 + i / 999)),
    ]
    figures.psi_figure(laws, (s.low, max(s.high, 2 * s.low)), s.epochs, cells(s), path, s.loss)


def log(s: Spread) -> Log:
    """Ten lines an epoch, with every column that a log may have."""
    size = 10 * s.epochs
    loss, rate, ratio, validation, gradient = (draws(s, size, seed=k) for k in range(5))
    at = np.arange(size) / 10
    series = Series(at[::10], validation[::10]), Series(at, gradient)
    return Log("epoch", at, loss, rate, ratio, np.floor(at), None, *series)  # pyright: ignore


def diagnosis(s: Spread, path: Path) -> None:
    of = log(s)
    along = replay_log(of, psi.load("sgd"))
    diagnosis_figure(of, trend(of), diagnose(of), along, "sgd", path)


def range_test(s: Spread, path: Path) -> None:
    """Losses that fall and then diverge, and noise over the spread."""
    rates = np.geomspace(s.low, max(s.high, 2 * s.low), max(s.epochs, 20))
    x = np.linspace(0, 1, len(rates))
    loss = draws(s, 3 * len(x)).reshape(3, -1) + s.high * (2 - x + 1e3 * np.maximum(x - 0.8, 0))
    range_figure(suggestion(rates, loss), path)


def swept(s: Spread):
    """Groups of as many facts as tasks, three at most, some at an edge, and a law of them."""
    facts = tuple(f"fact {k} of {s.name}" for k in range(min(s.tasks, 3)))
    values = np.stack([draws(s, 12, missing=False, seed=k) for k in range(len(facts))], 1)
    rates = draws(s, 12, missing=False, seed=9)
    groups = [
        Best(tuple(v), r, r / 2, 2 * r, 0.1, (), 9, 9, 0, "lowest lr" * (k > 0 and k % 4 == 0))
        for k, (v, r) in enumerate(zip(values, rates, strict=True))
    ]
    powers = tuple(FittedConstant(name, -0.5, -0.61, -0.4) for name in facts)
    middle = tuple(np.exp(np.log(values).mean(0)))
    rate = FittedConstant("rate", *np.exp(np.log(rates).mean()) * np.array([1.0, 0.9, 1.1]))
    ranges = tuple(Range(*each) for each in zip(values.min(0), values.max(0), strict=True))
    law = PowerLaw(1.0, powers, middle, rate, ranges, Range(s.low, s.high), 0.1, 9)
    return groups, law, Columns("lr", "loss", facts)


PICTURES = {
    "surface": lambda s, path: figures.surface_figure(cells(s), ideal_table(s), path),
    "psi": planes,
    "law": lambda s, path: figures.law_figure(psi.load("momentum"), s.epochs, path),
    "curves": lambda s, path: figures.curves_figure(lines(s), s.low, path, s.loss),
    "rates": lambda s, path: figures.rates_figure(lines(s), path),
    "comparison": lambda s, path: figures.comparison_figure(
        [(name, lines(s)) for name in names(s)[:3]], path
    ),
    "gain": lambda s, path: ideal.gain_figure(surface(s), path, units(s)),
    "relief": lambda s, path: ideal.relief_figure(surface(s), path),
    "outcomes": lambda s, path: ideal.outcomes_figure(outcomes(s), path),
    "ideal": lambda s, path: ideal.ideal_figure(ideal_table(s), path),
    "bias": lambda s, path: ideal.bias_figure(bias(s), path),
    "headroom": lambda s, path: ideal.headroom_figure(headroom(s), path),
    "records": lambda s, path: records_figure(*records(s), path),
    "diagnosis": diagnosis,
    "range test": range_test,
    "front": lambda s, path: front_figure(front(s), path),
    "sweep": lambda s, path: sweep_figure(*swept(s), path),
    "held_out": lambda s, path: tasks_figure(held_out(s), path),
    "shapes": lambda _, path: shapes_figure(["sgd@0.1.0", "adam@0.1.0", "sgd-scaled"], path),
}  # fmt: skip
