"""From a data set on disk to a law, with a share of the domains left out of every fit."""

import json
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from psi.fit.cells import LEAST, Cells, cells_of, left_out_scores, regret
from psi.fit.closed import Fitted, Play, fit_closed, least
from psi.fit.config import FitConfig
from psi.fit.decompose import error_scores
from psi.fit.network import fit_network
from psi.fit.search.finalists import Rounds
from psi.fit.trainings import polished, probed_scales, schedule_regrets
from psi.ideal.rate import ideal_rates
from psi.ideal.surface import response_surface
from psi.lab.data import store
from psi.law.checks import unknown
from psi.law.law import Provenance, Score
from psi.progress import Bar, no_bar

CELLS = 500  # with more of them ideal rates take longer than five seconds
PACKAGES = ("numpy", "scipy", "jax", "flax", "optax")
OWN = {"curve": ("optimistix",), "symbolic": ("optimistix", "pyoperon"), "network": ()}
"""What a kind needs beside PACKAGES."""


def fit_law(
    folder: Path,
    config: FitConfig,
    held_out: tuple[str, ...] = (),
    schedule: bool = True,
    command: str = "",
    bar: Bar = no_bar,
    estimates: Path | None = None,
    polish: Rounds | None = None,
) -> Fitted:
    """The law fitted to the ideal rates of a data set.

    Args:
        folder: the data set, as `psi.generate` makes it.
        config: which law is fitted, in which features.
        held_out: domains (data sets, synthetic families) that the fit must not see; each gets a
            score.
        schedule: also try formulas in whole trainings of the training tasks, and choose by that.
        command: what would make the law again, noted in it.
        bar: opens a progress report.
        estimates: a folder of `psi.estimate` for this very data set; None: ideal rates are
            estimated from the branched runs of the records.
        polish: search the chosen formula's constants on whole trainings too, from its fit.

    Returns:
        The law, and for a formula its candidate and the front of a symbolic regression.

    Raises:
        ValueError: where the folder is no data set, was not trained with the optimizer asked for,
            does not hold a domain named, or holds too little for a fit.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import psi
        >>> sizes = {"trajectories": 0, "cells": 20, "candidates": 7, "seeds": 4}
        >>> config = psi.GenerateConfig(("noisy_quadratic",), psi.Hyper(epochs=6), **sizes)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     psi.generate(config, Path(folder))
        ...     fit = psi.FitConfig(family="constant", resamples=2)
        ...     law = psi.fit_law(Path(folder), fit, schedule=False).law
        >>> law.optimizer, law.features
        ('sgd', ('loss_ratio', 'progress'))
    """
    if polish and config.kind == "network":
        raise ValueError(f"only a formula can be polished, got kind {config.kind}")
    records, tasks = store.read_records(folder), store.read_tasks(folder)
    config = replace(config, optimizer=optimizer_of(folder, tasks, config))
    own = set(tasks.task[tasks.optimizer == config.optimizer])
    records = records[records.task.isin(own)]
    if estimates is None:
        surface, ideal = _from_records(records, tasks, bar)
    else:
        surface, ideal = read_estimates(estimates, folder)
        surface, ideal = surface[surface.task.isin(own)], ideal[ideal.task.isin(own)]
    if config.scaled:
        ideal = ideal.assign(scale=ideal.task.map(probed_scales(folder, config.optimizer, bar)))
    play = partial(
        schedule_regrets, folder=folder, config=config, records=records, held_out=held_out, bar=bar
    )
    fitted = fit_surface(
        folder, surface, ideal, config, held_out, command, bar, play if schedule else None
    )
    if polish is None:
        return fitted
    return polished(fitted, folder, config, records, held_out, polish, bar)


def _from_records(
    records: pd.DataFrame, tasks: pd.DataFrame, bar: Bar
) -> tuple[pd.DataFrame, pd.DataFrame]:
    many = len(records[["task", "cell"]].drop_duplicates()) > CELLS
    with (bar if many else no_bar)("estimating ideal rates") as report:
        surface = response_surface(records, tasks)
        ideal = ideal_rates(surface)
        report(1, 1, "")
    return surface, ideal


def read_estimates(estimates: Path, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(branched surface, ideal rates) that `psi ideal` has written to `estimates`.

    Of several horizons, those to the end of the budget. Raises ValueError where the folder holds no
    finished estimates, those of another data set, or several horizons without the end.
    """
    try:
        summary = json.loads((estimates / "summary.json").read_text())
        surface = store.read_table(estimates / "branched.parquet")
        ideal = store.read_table(estimates / "ideal.parquet")
    except (OSError, ValueError) as error:
        raise ValueError(f"{estimates} holds no finished tables of psi ideal: {error}") from None
    if summary.get("data") != store.data_hash(folder):
        raise ValueError(f"the estimates in {estimates} are not of the data set {folder}")
    labels = list(dict.fromkeys(ideal.label))
    ends = [each for each in labels if each.endswith("-end")] or labels
    if len(ends) > 1:
        raise ValueError(
            f"{estimates} holds several horizons and none to the end, {', '.join(labels)}: one "
            "is needed"
        )
    return surface[surface.label == ends[0]], ideal[ideal.label == ends[0]]


def fit_surface(
    folder: Path,
    surface: pd.DataFrame,
    ideal: pd.DataFrame,
    config: FitConfig,
    held_out: tuple[str, ...] = (),
    command: str = "",
    bar: Bar = no_bar,
    play: Play | None = None,
) -> Fitted:
    """As `fit_law`, from the response surface and ideal rates of the data set already made.

    The law's scores are its regrets in cells, with each training domain left out and on each
    held-out domain, and how far it is from the ideal rates, scale and shape apart. A scaled fit
    needs each task's α_0 in the column `scale` of `ideal`.
    """
    domains = sorted(set(ideal.domain))
    for name in held_out:
        if name not in domains:
            raise ValueError(f"{unknown('domain', name, domains)} in {folder}")
    tasks = store.read_tasks(folder)
    optimizer = optimizer_of(folder, tasks, config)
    sizes = tasks.set_index("task").parameters
    ideal = ideal.assign(parameters=ideal.task.map(sizes).astype(float))
    part = partial(cells_of, surface=surface, scaled=config.scaled)
    needed = LEAST if config.kind == "network" else least(config)
    cells = part(ideal[~ideal.domain.isin(held_out)], least=needed)
    cells.points(config.names)  # before any search, what is wrong with a column
    fit = _network if config.kind == "network" else partial(fit_closed, play=play)
    fitted = fit(cells, config, optimizer, bar)
    unseen = [(name, part(ideal[ideal.domain == name], least=1)) for name in held_out]
    scores = tuple(
        Score(f"regret in the cells of {name}, held out", regret(fitted.law, at))
        for name, at in unseen
    )
    packages = tuple(f"{name}=={version(name)}" for name in (*PACKAGES, *OWN[config.kind]))
    law = replace(
        fitted.law,
        scores=fitted.law.scores + scores,
        provenance=Provenance(
            store.data_hash(folder), store.config_hash(folder), packages, command
        ),
        scale=_typical(ideal, cells.task) if config.scaled else None,
    )
    return fitted._replace(law=law)


def optimizer_of(folder: Path, tasks: pd.DataFrame, config: FitConfig) -> str:
    """The optimizer whose tasks are fitted: that asked for, or the data set's only one.

    Raises ValueError where the data set was not trained with it, or with several and none is asked
    for.
    """
    found = sorted(set(tasks.optimizer))
    if config.optimizer is None and len(found) > 1:
        raise ValueError(f"{folder} was trained with {', '.join(found)}: optimizer must be one")
    if config.optimizer not in (None, *found):
        raise ValueError(
            f"{folder} was trained with {', '.join(found)}, got optimizer {config.optimizer}"
        )
    return config.optimizer or found[0]


def _network(cells: Cells, config: FitConfig, optimizer: str, bar: Bar) -> Fitted:
    fit = partial(fit_network, optimizer=optimizer, seed=config.seed, names=config.names)
    law = fit(cells)
    with bar("leaving domains out") as update:
        scores = left_out_scores(fit, cells, update)
    return Fitted(replace(law, scores=(*scores, *error_scores(law, cells))))


def _typical(ideal: pd.DataFrame, tasks: np.ndarray) -> float:
    """The median over tasks of α_0."""
    each = ideal[ideal.task.isin(tasks)].groupby("task", observed=True)["scale"].first()
    return float(each.median())
