"""What the estimates need to know of each task."""

import pandas as pd

NEEDED = ("task", "domain", "network", "floor", "chance_loss", "epochs", "steps", "criterion")


def check_features(tasks: pd.DataFrame, names: tuple[str, ...] = NEEDED) -> None:
    """Raise ValueError where a task table lacks a column, or a task one of its values.

    A criterion may be missing (every rate of the pilot diverged).
    """
    lacking = [name for name in names if name not in tasks.columns]
    if lacking:
        raise ValueError(f"the task table lacks {', '.join(lacking)}; it needs {', '.join(names)}")
    for name in names:
        empty = tasks.task[tasks[name].isna()].astype(str).tolist()
        if empty and name != "criterion":
            raise ValueError(f"the task table has no {name} for {', '.join(empty)}")
