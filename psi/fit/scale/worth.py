"""What each fact is worth: the regret on left-out domains without it, and with it alone.

Differences are paired over domains: a hard domain is hard for both. `worth` is what the regret
rises by where a fact is left out of the chosen set, `alone` what it falls by against one rate for
all tasks where it is the only fact. Facts that stand for each other, such as the steps of an epoch
and the rows, are worth little each and much together, so those of the data and those of the
training also stand there as one.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.fit.scale.facts import OF_DATA, OF_TRAINING, FactSet
from psi.fit.scale.left_out import domain_folds, domain_means, left_out, linear, over_domains
from psi.fit.scale.linear import Candidate
from psi.fit.scale.tuned import TunedTasks


def worth(tasks: TunedTasks, candidate: Candidate, seed: int = 0) -> pd.DataFrame:
    """The worth of each fact of a candidate, nats with 95 % intervals over domains.

    Args:
        tasks: the tasks, of one optimizer and target.
        candidate: what was chosen.
        seed: of the folds.

    Returns:
        A row a fact and group: fact; worth, worth_low, worth_high; alone, alone_low, alone_high.
    """
    fold, chosen = domain_folds(tasks.domain, seed), candidate.facts

    def means(part: FactSet) -> Float[np.ndarray, " domain"]:
        fit = linear(candidate._replace(facts=part))
        return domain_means(left_out(tasks, fit, candidate.schedule, fold), tasks.domain)

    groups = {name: (name,) for name in chosen.facts}
    groups |= {"all of the data": OF_DATA, "all of the training": OF_TRAINING}
    every, none, rows = means(chosen), means(chosen.of(())), []
    for name, facts in groups.items():
        more = over_domains(means(chosen.without(facts)) - every)
        less = over_domains(none - means(chosen.of(facts)))
        rows.append((name, *more, *less))
    names = [f"{name}{end}" for name in ("worth", "alone") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["fact", *names])
