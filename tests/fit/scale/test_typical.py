"""Laws that are told some facts alone."""

import numpy as np
import pytest

from psi.fit.scale.facts import SETS
from psi.fit.scale.linear import Candidate, fit_linear
from psi.fit.scale.tuned import tuned_tasks
from psi.fit.scale.typical import told, typical
from tests.fit.scale.planted import planted

TASKS = tuned_tasks(planted(0, domains=6, each=10).atlas, "adam", "validation")
ALL = Candidate(next(each for each in SETS if each.name == "all"))


def test_who_is_told_all_has_the_fit_s_rates():
    rates = told(ALL, tuple(TASKS.facts.columns))(TASKS)(TASKS.facts)
    np.testing.assert_allclose(rates, fit_linear(TASKS, ALL).log_rates(TASKS.facts))


def test_who_is_told_nothing_has_one_rate():
    rates = told(ALL, ())(TASKS)(TASKS.facts)
    usual = TASKS.facts.assign(**typical(TASKS))
    np.testing.assert_allclose(rates, fit_linear(TASKS, ALL).log_rates(usual))
    assert np.ptp(rates) == pytest.approx(0, abs=1e-12)


def test_who_is_told_of_streams_alone_takes_them_for_one_row():
    rates = told(ALL, ("stream",))(TASKS)(TASKS.facts)
    fit, usual, stream = fit_linear(TASKS, ALL), typical(TASKS), TASKS.facts["stream"] == 1
    of_stream, of_rows = (fit.exponents[ALL.facts.facts.index(n)] for n in ("stream", "rows"))
    gap = rates[stream.to_numpy()].mean() - rates[~stream.to_numpy()].mean()
    assert abs(of_rows * np.log(usual["rows"])) > 0.01
    assert gap == pytest.approx(of_stream - of_rows * np.log(usual["rows"]))
