"""The regret by what is known of a task: one rate for all, its facts, its domain, its own sweep.

The first three rows are of domains left out whole. Those that know the domain are chosen on it in
hindsight, so they are bounds: no law of facts can be expected to do better. The last is the tuned
schedule itself, whose regret is what the best of the three schedules gains on it.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.fit.scale.facts import FactSet
from psi.fit.scale.left_out import domain_folds, domain_means, left_out, linear, over_domains
from psi.fit.scale.linear import Candidate, fit_linear
from psi.fit.scale.regret import regret_at
from psi.fit.scale.tuned import TunedTasks
from psi.fit.scale.typical import COUNTED, told

Values = Float[np.ndarray, " task"]
FACTORS = np.linspace(-4, 4, 161)
"""log of the factors that a domain may have of its own"""


def regret_by_knowledge(tasks: TunedTasks, candidate: Candidate, seed: int = 0) -> pd.DataFrame:
    """Mean regrets over domains, with 95 % intervals.

    Args:
        tasks: the tasks, of one optimizer and target.
        candidate: what was chosen.
        seed: of the folds.

    Returns:
        A row each: knowledge, regret, low, high [nats].
    """
    fold, schedule = domain_folds(tasks.domain, seed), candidate.schedule
    none = candidate._replace(facts=FactSet("one rate", ()))
    one, facts = (fit_linear(tasks, each).log_rates(tasks.facts) for each in (none, candidate))
    rows = {
        "one rate for all": left_out(tasks, linear(none), schedule, fold),
        "what is counted without the data": left_out(
            tasks, told(candidate, COUNTED), schedule, fold
        ),
        "facts": left_out(tasks, linear(candidate), schedule, fold),
        "domain, in hindsight": _own_factor(tasks, one, schedule),
        "domain and facts, in hindsight": _own_factor(tasks, facts, schedule),
        "its own sweep": tasks.best[schedule].score - tasks.reference,
    }
    figures = [(name, *over_domains(domain_means(r, tasks.domain))) for name, r in rows.items()]
    return pd.DataFrame(figures, columns=["knowledge", "regret", "low", "high"])


def _own_factor(tasks: TunedTasks, log_rate: Values, schedule: str) -> Values:
    """The regret where each domain multiplies the rates by the factor that is best for it."""
    lost = np.array([regret_at(tasks.curves[schedule], log_rate + f) for f in FACTORS])
    best = [domain_means(row, tasks.domain) for row in lost]
    own = np.argmin(best, axis=0)[np.unique(tasks.domain, return_inverse=True)[1]]
    return lost[own, np.arange(len(own))]
