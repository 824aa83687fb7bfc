"""Several tasks' surfaces as one: what a rate is worth that all of them share."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from psi.ideal.returns import score

SHARED = ("cell", "epoch", "epochs", "horizon", "continuation")


def pooled(surfaces: Sequence[pd.DataFrame], log: bool = False) -> pd.DataFrame:
    """The surface of the mean excess loss over tasks, or of its mean log (a geometric mean).

    The surfaces are of cells with the same numbers, rates and groups, one task each. The two have
    different ideal rates: the mean is ruled by the tasks that lose most. Raises ValueError where
    the surfaces do not match.
    """

    def average(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.exp(np.mean(np.log(values), axis=0)) if log else np.mean(values, axis=0)

    keys = [*SHARED, "lr"]
    tables = [table.sort_values(["cell", "lr"]).reset_index(drop=True) for table in surfaces]
    first = tables[0]
    for table in tables:
        if not table[keys].equals(first[keys]):
            raise ValueError(f"tasks can be pooled only where they share {', '.join(keys)}")
    excess = [np.stack(table.resampled.to_list()) - table.floor.iloc[0] for table in tables]
    final = average([(t.final_loss - t.floor).to_numpy() for t in tables])
    chance = average([(t.chance_loss - t.floor).to_numpy() for t in tables])
    return first.assign(
        task=" + ".join(dict.fromkeys(table.task.iloc[0] for table in tables)),
        domain=" + ".join(dict.fromkeys(table.domain.iloc[0] for table in tables)),
        loss=np.mean([table.loss for table in tables], axis=0),
        initial_loss=np.mean([table.initial_loss for table in tables], axis=0),
        runs=sum(table.runs for table in tables),
        floor=0.0,
        chance_loss=chance,
        final_loss=final,
        score=score(final, 0.0, chance),
        groups=min(int(table.groups.min()) for table in tables),
        resampled=list(average(excess)),
        **{"return": -np.log(final)},
    )
