"""From a data set on disk to laws, with a share of the domains left out of every fit."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd

from psi.fit.curve import fit_curve
from psi.fit.labels import labels, left_out_scores, provenance, regret
from psi.fit.network import fit_network
from psi.ideal.rate import ideal_rates
from psi.ideal.surface import response_surface
from psi.lab import store
from psi.law.law import Law, Score

PACKAGES = ("numpy", "scipy", "jax", "flax", "optax")
Kind = Literal["curve", "network"]


def fit_dataset(folder: Path, kind: Kind, held_out: tuple[str, ...] = (), seed: int = 0) -> Law:
    """The law of one kind, fitted to the ideal rates of all domains but `held_out`.

    Raises ValueError where the folder is no data set or does not hold a domain named.
    """
    records, tasks = store.read_records(folder), store.read_tasks(folder)
    surface = response_surface(records, tasks)
    return fit_surface(folder, surface, ideal_rates(surface), kind, held_out, seed)


def fit_surface(
    folder: Path,
    surface: pd.DataFrame,
    ideal: pd.DataFrame,
    kind: Kind,
    held_out: tuple[str, ...],
    seed: int = 0,
) -> Law:
    """As `fit_dataset`, from the response surface and ideal rates of the data set already made.

    The law's scores are its regrets in cells: with each training domain left out, and on each
    held-out domain.
    """
    unknown = set(held_out) - set(ideal.domain)
    if unknown:
        known = ", ".join(sorted(set(ideal.domain)))
        raise ValueError(f"no domain {sorted(unknown)} in {folder}; there are: {known}")
    tasks = store.read_tasks(folder)
    optimizer = str(tasks.optimizer.iloc[0])
    points = labels(ideal[~ideal.domain.isin(held_out)], surface)
    make = fit_curve if kind == "curve" else fit_network
    fit = partial(make, optimizer=optimizer, seed=seed)
    quick = partial(fit, resamples=0) if kind == "curve" else fit
    law = fit(points)
    unseen = [(name, labels(ideal[ideal.domain == name], surface, least=1)) for name in held_out]
    scores = tuple(
        Score(f"regret in the cells of {name}, held out", regret(law, at)) for name, at in unseen
    )
    source = provenance(store.data_hash(folder), store.config_hash(folder), PACKAGES)
    return replace(law, scores=left_out_scores(quick, points) + scores, provenance=source)
