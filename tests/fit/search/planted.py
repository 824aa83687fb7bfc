"""Candidates on a task whose losses are known in advance."""

import jax
import numpy as np

from psi.fit.formula.formula import Candidate, Formula, Parameter
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task
from psi.law.law import Range
from psi.law.parsing import parse

KEY = jax.random.key(5)
DOMAIN = (Range(1e-4, 100.0), Range(0.0, 0.99))
A, Q = Parameter("a", True, "rate"), Parameter("q")
LINEAR = Candidate(Formula(parse("a*(1 - progress)"), (A,)), np.log([0.3]))
POWER = Candidate(Formula(parse("a*(1 - progress)^q"), (A, Q)), np.array([np.log(0.3), 0.5]))


def quadratic(epochs=6):
    return make_task("noisy_quadratic", Hyper(epochs=epochs))
