"""What the tests of the judge share: laws of one formula, made-up results, a small task."""

from types import SimpleNamespace

import jax
import numpy as np

from psi.bench.baselines import SCHEDULES
from psi.bench.cohorts import BUDGETS, budget_name
from psi.bench.judging import Judged, Method
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task
from psi.law.law import Law, Range
from psi.law.parsing import parse

KEY = jax.random.key(9)
PEAKS = dict.fromkeys(SCHEDULES, 0.05)


def small_task():
    return make_task("noisy_quadratic", Hyper(epochs=12))


def law(formula, scale=None):
    domain = (Range(1e-4, 10.0), Range(0.0, 1.0))
    features = ("loss_ratio", "progress")
    return Law(parse(formula), features, domain, Range(1e-9, 10.0), "sgd", 2.0, scale=scale)


def judged(**losses):
    facts = SimpleNamespace(chance_loss=1.1, floor=0.1, epochs=20, network="mlp")
    ends = zip(map(budget_name, BUDGETS), ([0.8], [0.6], [0.5], [0.4], [0.3]), strict=True)
    methods = tuple(Method(name, np.array(values)) for name, values in [*losses.items(), *ends])
    return Judged(SimpleNamespace(facts=facts, name="t"), methods)  # type: ignore
