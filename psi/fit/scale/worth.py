"""What each fact is worth: the regret on left-out domains without it, and with it alone.

Differences are paired over domains: a hard domain is hard for both. `worth` is what the regret
rises by where a fact is left out of the chosen set, `alone` what it falls by against one rate for
all tasks where it is the only fact. Facts that stand for each other, such as the steps of an epoch
and the rows, are worth little each and much together.
"""

import numpy as np
import pandas as pd

from psi.fit.scale.choice import domain_folds, domain_means, left_out, linear, over_domains
from psi.fit.scale.linear import Candidate
from psi.fit.scale.table import TunedTasks


def worth(tasks: TunedTasks, candidate: Candidate, seed: int = 0) -> pd.DataFrame:
    """The worth of each fact of a candidate, nats with 95 % intervals over domains.

    Args:
        tasks: the tasks, of one optimizer and target.
        candidate: what was chosen.
        seed: of the folds.

    Returns:
        A row a fact: fact; worth, worth_low, worth_high; alone, alone_low, alone_high.
    """
    fold, chosen = domain_folds(tasks.domain, seed), candidate.facts

    def means(facts: list[str], without: bool = False) -> np.ndarray:
        part = chosen.without(facts[0]) if without else chosen.of(facts)
        fit = linear(candidate._replace(facts=part))
        return domain_means(left_out(tasks, fit, candidate.schedule, fold), tasks.domain)

    every, none = means([*chosen.facts]), means([])
    rows = []
    for fact in chosen.facts:
        more = over_domains(means([fact], without=True) - every)
        less = over_domains(none - means([fact]))
        rows.append((fact, *more, *less))
    names = [f"{name}{end}" for name in ("worth", "alone") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["fact", *names])
