"""What stands in for a fact that nobody knows."""

from collections.abc import Callable, Collection

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.fit.scale.left_out import Predictor
from psi.fit.scale.linear import Candidate, fit_linear, task_weights
from psi.fit.scale.tuned import TunedTasks

COUNTED = ("parameters", "stream", "steps", "budget", "weight_rms", "initial_grad_norm")
"""What a scheduler knows that is told of no data: `stream` is said, or it is none; Keras's sees no
gradient."""


def typical(tasks: TunedTasks) -> dict[str, float]:
    """exp(Σ ω log f) of each fact f, ω as in the fit: where none is known, α is of average level.

    Rows are those of fixed data: a stream, which has none, is said to be one. So `stream` is 0, but
    of streams alone.
    """
    weight = task_weights(tasks.domain)
    fixed = weight * (tasks.facts["stream"].to_numpy() == 0)
    found = {"stream": 0.0 if fixed.any() else 1.0}
    for name in tasks.facts.columns.drop("stream"):
        share = fixed if name == "rows" and fixed.any() else weight
        log = np.log(tasks.facts[name].to_numpy(float))
        found[name] = float(np.exp(np.clip(share @ log / share.sum(), log.min(), log.max())))
    return found


def told(candidate: Candidate, known: Collection[str]) -> Predictor:
    """The power law of a candidate, to be left out, which is told these facts alone.

    Others are typical of the tasks that it was fitted to.
    """

    def fit(tasks: TunedTasks) -> Callable[[pd.DataFrame], Float[np.ndarray, " task"]]:
        fitted, usual = fit_linear(tasks, candidate), typical(tasks)

        def log_rates(facts: pd.DataFrame) -> Float[np.ndarray, " task"]:
            seen = facts.assign(**{n: usual[n] for n in facts.columns if n not in known})
            # Who knows that it is a stream knows that it has no rows.
            return fitted.log_rates(seen.assign(rows=seen["rows"].where(seen["stream"] == 0, 1.0)))

        return log_rates

    return fit
