"""A run of a suite by hand: parts of records whose figures are known."""

import numpy as np
import pandas as pd

from psi.bench.contestants import OWN, TUNED
from psi.lab.data import store

SEEDS, DOMAINS = 10, 6
STEPS, PARAMETERS, BATCH = 3, 100, 8
RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, 0.02, (DOMAINS, SEEDS))  # shared by methods, as runs share their seeds
NEW = ["steps", "parameters", "batch", "stream", "gradients"]


def part(folder, task, method, loss, optimizer="adam", tuning_score=np.nan, runs=0, **columns):
    """Two epochs of every seed; the last one ends at `loss` + noise, the first at 5.

    `loss` of all seeds, shape (seeds,) or (epochs, seeds), is taken as it is.
    """
    ends = loss + NOISE[task] if isinstance(loss, float) else np.asarray(loss)
    curve = np.stack([np.full(SEEDS, 5.0), ends]) if ends.ndim == 1 else ends
    epochs = len(curve)
    frame = pd.DataFrame(
        {
            "optimizer": optimizer, "task": task, "method": method, "name": f"task-{task}",
            "domain": f"domain-{task}", "floor": 0.0, "chance_loss": 1.0, "rate": 0.1,
            "gradients": 0, "tuning_runs": runs, "tuning_score": tuning_score, "steps": STEPS,
            "parameters": PARAMETERS, "batch": BATCH, "stream": False,
            "seed": np.repeat(np.arange(SEEDS), epochs),
            "epoch": np.tile(np.arange(epochs), SEEDS), "lr": 0.1, "train_loss": 1.0,
            "val_loss": curve.T.reshape(-1), "accuracy": 0.5,
        } | columns
    )  # fmt: skip
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in method)
    store.write_part(folder, f"part-{optimizer}-{task:03d}-{plain}", frame)


def by_hand(folder):
    """Tuned schedules, laws, of which one diverges, and a row that brings its own optimizer."""
    with store.locked(folder):
        store.open_config(folder, {"suite": "by hand"})
        for task in range(DOMAINS):
            best = "linear" if task % 2 else "cosine"
            for name in ("constant", "linear", "cosine"):
                loss = 0.2 if name == best else 0.3
                part(folder, task, name + TUNED, loss, tuning_score=-loss, runs=100)
            part(folder, task, "Ψ half", 0.1)
            part(folder, task, "dog", 0.4, OWN)
            part(folder, task, "Ψ dead", np.full(SEEDS, np.nan), accuracy=np.nan)
        part(folder, 0, "Ψ once", 0.1)
    return folder
