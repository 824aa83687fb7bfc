"""Records of random walks of one task, and of the sample: what surfaces are tested with."""

from pathlib import Path

import numpy as np
import pandas as pd

from psi.ideal.binned import Bins

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
SMALL = Bins(loss=4, epoch=3, lr=4, least=3)


def made(runs=400, epochs=4, seed=0, rate=lambda loss, lr: loss * (0.3 + (np.log(lr) + 1) ** 2)):
    """Records of one task: the loss goes from ε to rate(ε, α), with noise of 10 %."""
    rng = np.random.default_rng(seed)
    rows = []
    for run in range(runs):
        loss = np.exp(rng.normal(0, 0.5))
        for i in range(epochs):
            lr = np.exp(rng.uniform(-2.5, 0.5))
            after = rate(loss, lr) * np.exp(rng.normal(0, 0.1))
            rows.append(
                {
                    "task": "a", "run": run, "seed": run % 8, "epoch": i, "lr": lr,
                    "cell": -1, "branch": -1,
                    "loss_running": loss, "loss_full": loss, "loss_next": after,
                    "val_loss": after, "test_accuracy": 0.9 if lr < 0.3 else 0.5,
                }
            )  # fmt: skip
            loss = min(after, 3.0)
    tasks = pd.DataFrame(
        {"task": ["a"], "domain": ["d"], "floor": [0.0], "chance_loss": [50.0], "epochs": [epochs],
         "criterion": [0.2], "steps": [7], "network": ["mlp"]}
    )  # fmt: skip
    return pd.DataFrame(rows), tasks
