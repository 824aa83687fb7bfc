"""What the ideal rate depends on within a task: the epoch, the loss, the rest of the state.

Over the sure labels y = log α* of many tasks, each with several cells whose prefixes differ, with
τ = i/T and l = log(ε_i/ε_0), four regressions are nested:

    W_0   y = a_task                             the variance within tasks
    W_1   y = a_task + b τ + c τ²                … beside the epoch
    W_2   y = a_task + b τ + c τ² + s l          … and one slope of the loss
    W_3   y = a_task + b τ + c τ² + s_task l     … and a slope of each task's own

W_k the sum of squares that is left over n − (the rank of the regression). With B the variance
between tasks (the mean square of the tasks' means, less W_0 over the cells of a task) and N the
mean variance of the labels,

    between tasks   B            by loss, each task its own   W_2 − W_3
    by epoch        W_0 − W_1    noise of the label           N
    by loss         W_1 − W_2    else                         W_3 − N

each held within what there is to divide, over B + W_0: shares that sum to 1.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from psi.ideal.resampling import jackknife_error, numbered, student_width

PARTS = (
    "between tasks", "by epoch", "by loss", "by loss, each task its own", "noise of the label",
    "else",
)  # fmt: skip
LEAST = 6
"""Sure cells of a task: its own slope takes four."""
SMALL = 1e-9
Values = Float[np.ndarray, " cell"]
Columns = Float[np.ndarray, "cell column"]


def counted(labels: pd.DataFrame) -> pd.DataFrame:
    """The sure labels of tasks that have LEAST of them or more, with y, tau and fallen.

    `labels` are those of psi.ideal.rate.ideal_rates, of one optimizer.
    """
    fallen = np.log(labels.loss.to_numpy(float) / labels.initial_loss.to_numpy(float))
    made = labels.assign(
        y=np.log(labels.lr.to_numpy(float)), tau=labels.epoch / labels.epochs, fallen=fallen
    )
    made = made[made.sure.to_numpy(bool) & np.isfinite(fallen)]
    return made[made.groupby("task").y.transform("size") >= LEAST].reset_index(drop=True)


def slopes(labels: pd.DataFrame) -> pd.DataFrame:
    """∂ log α* / ∂ log ε of each task beside the epoch, by least squares.

    Returns:
        A row a task: task, domain, cells, slope, error, sign ("+", "−", or "?" where the 95 %
        interval holds 0).
    """
    rows = []
    for task, own in counted(labels).groupby("task", sort=True):
        x = np.column_stack([np.ones(len(own)), own.tau, own.tau**2, own.fallen])
        w, _, rank, _ = np.linalg.lstsq(x, own.y.to_numpy(), rcond=None)
        if rank < x.shape[1]:
            continue
        left = own.y.to_numpy() - x @ w
        free = len(own) - int(rank)
        error = float(np.sqrt(left @ left / free * np.linalg.inv(x.T @ x)[-1, -1]))
        sure = abs(w[-1]) > student_width(free + 1) * error
        sign = ("+" if w[-1] > 0 else "−") if sure else "?"
        rows.append((task, own.domain.iloc[0], len(own), float(w[-1]), error, sign))
    return pd.DataFrame(rows, columns=["task", "domain", "cells", "slope", "error", "sign"])


def state_shares(labels: pd.DataFrame) -> pd.DataFrame:
    """The shares of PARTS with 95 % intervals of a jackknife over tasks.

    Returns:
        A row a part: part, share, low, high.

    Raises:
        ValueError: fewer than three tasks have LEAST sure labels.
    """
    made = counted(labels)
    task = numbered(made.task.to_numpy())
    count = int(task.max()) + 1 if len(task) else 0
    if count < 3:
        raise ValueError(f"shares need at least 3 tasks with {LEAST} sure labels, got {count}")
    values = made[["y", "tau", "fallen", "log_lr_error"]].to_numpy(float)

    def of(rows: np.ndarray) -> Float[np.ndarray, " part"]:
        return _shares(values[rows], numbered(task[rows]))

    whole = of(np.arange(len(task)))
    left_out = np.array([of(np.flatnonzero(task != k)) for k in range(count)])
    width = student_width(count) * jackknife_error(left_out)
    low, high = np.clip([whole - width, whole + width], 0.0, 1.0)
    return pd.DataFrame({"part": PARTS, "share": whole, "low": low, "high": high})


def _shares(
    values: Float[np.ndarray, "cell 4"], task: Int[np.ndarray, " cell"]
) -> Float[np.ndarray, " part"]:
    y, tau, fallen, error = values.T
    columns = _centred(np.column_stack([y, tau, tau**2, fallen]), task)
    own = _beside(columns, columns[:, 3], task)
    taken = int(task.max()) + 1
    left = [_left(columns[:, 0], columns[:, 1:k], taken) for k in (1, 3, 4)]
    left.append(_left(own[:, 0], own[:, 1:3], 2 * taken))
    within = np.minimum.accumulate(left)
    noise = min(float((error**2).mean()), within[3])
    size = np.bincount(task)
    mean = np.bincount(task, y) / size
    between = max(0.0, float(mean.var(ddof=1)) - within[0] * float((1 / size).mean()))
    parts = (between, *-np.diff(within), noise, within[3] - noise)
    return np.array(parts) / (between + within[0])


def _centred(columns: Columns, task: Int[np.ndarray, " cell"]) -> Columns:
    """Without the means of the tasks."""
    size = np.bincount(task)
    means = np.array([np.bincount(task, column) / size for column in columns.T]).T
    return columns - means[task]


def _beside(columns: Columns, x: Values, task: Int[np.ndarray, " cell"]) -> Columns:
    """Without what each task's own slope by x explains; all of mean 0 within tasks."""
    square = np.maximum(np.bincount(task, x * x), SMALL)
    by_x = np.array([np.bincount(task, column * x) / square for column in columns.T]).T
    return columns - by_x[task] * x[:, None]


def _left(y: Values, x: Columns, taken: int) -> float:
    """The mean square that a regression leaves, `taken` degrees of freedom being gone already."""
    w, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
    return float(((y - x @ w) ** 2).sum() / max(len(y) - taken - rank, SMALL))
