"""Records made by hand, of one task: what the estimates of this room are tested with."""

import pandas as pd

TASKS = pd.DataFrame(
    {
        "task": ["a"],
        "domain": ["a"],
        "floor": [0.0],
        "chance_loss": [2.0],
        "epochs": [10],
        "network": ["mlp"],
    }
)


def branched_records(final, lrs, epochs=10, branch=4, start=1.5):
    """Records of one cell: `final` of shape (rates, seeds) at the last epoch."""
    rows = []
    for k, lr in enumerate(lrs):
        for s in range(final.shape[1]):
            for i in range(epochs):
                rows.append(
                    {
                        "task": "a", "run": k * final.shape[1] + s, "cell": 0, "branch": branch,
                        "seed": s, "epoch": i, "lr": lr if i >= branch else 0.5,
                        "loss_running": start if i == 0 else 1.0 + 0.1 * s,
                        "val_loss": final[k, s] if i == epochs - 1 else 0.3,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)
