"""The judge: what laws are worth as learning-rate schedules, beside what people use today.

Three comparisons, on tasks that no fit has seen:

* A *suite's run* (psi.bench.running) trains every rule that people use (psi.bench.baselines), plain
  schedules tuned on the task, and laws, on a suite (psi.bench.suites); psi.bench.standing compares
  all of them with the tuned reference (psi.bench.tuning; psi.bench.suite_runs: with the criterion
  and what runs cost; psi.bench.regrets), with intervals over domains (psi.bench.statistics). `psi
  bench suite` and `psi bench table` do it. A user's own tasks are run as a suite too; what is said
  of these holds for each task alone (psi.bench.comparing, `psi compare`).
* A *contest* (psi.bench.contest) is on one task: laws, and rows of BASELINES with the peak rate
  tuned on that task, and untuned at the best single rate of the training tasks. `psi demo` holds
  one.
* *Judging* (psi.bench.judging) is on the held-out list of the shipped laws, whose tuned rates are
  measured once and kept (references.csv): the shipped laws, the plain schedules tuned and at single
  rates (single_rates.json), both assuming half and twice the budget, and the tuned linear schedule
  over other budgets. `psi bench fit` asks for it, and what each law must gain is in
  psi.bench.shipped.

In the last two, rates are tuned on seeds 0–4, over a grid that is extended until the best is inside
it, and everything is scored on seeds 100–109: there, methods share initialisation and batch order.
With L̄ the mean final validation loss over those seeds, each run's at most 2 L_chance, L* the
task's floor and Δ = L_chance − L*,

    score  y = log(clip(L̄ − L*, 0, 2Δ) + 0.01 Δ)        regret = y − y of the tuned linear schedule

in nats; negative regret is better. Their intervals are 95 % and paired over seeds: what they say
holds for these tasks. Time (epochs to a criterion), accuracy and reliability (the seeds that get
there) are shown beside the score and never merged into it (psi.bench.measures).

`psi.bench.speed` measures what each part costs, `psi.bench.fitting` whether fits recover laws that
are known, `psi.bench.range` what the rates of range tests are worth.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psi.bench import contest
    from psi.bench.baselines import BASELINES, Baseline
    from psi.bench.judging import Judged, judge
    from psi.bench.measures import Regret, Result, regret
    from psi.bench.references import Reference

_HOMES = {
    "BASELINES": "baselines", "Baseline": "baselines", "Judged": "judging", "judge": "judging",
    "Reference": "references", "Regret": "measures", "Result": "measures", "regret": "measures",
}  # fmt: skip

__all__ = [
    "BASELINES", "Baseline", "Judged", "Reference", "Regret", "Result", "contest", "judge",
    "regret",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"psi.bench.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
