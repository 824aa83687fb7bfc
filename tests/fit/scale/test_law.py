"""A fitted scale written as a law."""

import numpy as np
import pandas as pd
import pytest

from psi.fit.scale.exponents import exponents
from psi.fit.scale.facts import FACTS, SETS, FactSet
from psi.fit.scale.law import SHAPES, formula, scale_law, template
from psi.fit.scale.left_out import Interval
from psi.fit.scale.linear import Candidate, fit_linear, task_weights
from psi.fit.scale.tuned import tuned_tasks
from psi.fit.scale.typical import typical
from psi.lab.data.trajectories import PLAIN
from psi.law.expression import evaluate
from psi.law.features import FEATURES
from psi.law.load import load
from psi.law.parsing import parse
from tests.fit.scale.planted import planted

TASKS = tuned_tasks(planted(0, domains=6, each=10).atlas, "adam", "validation")
MISSING = sorted({*FACTS} - {*FEATURES})


@pytest.mark.parametrize("schedule", SHAPES)
@pytest.mark.parametrize("facts", [SETS[0], SETS[2], SETS[-1]], ids=lambda s: s.name)
def test_the_formula_is_the_fit_times_the_shape(schedule, facts):
    fit = fit_linear(TASKS, Candidate(facts, schedule=schedule))
    for progress in (0.0, 0.3, 0.95):
        values = [*TASKS.facts[list(facts.facts)].to_numpy().T, np.full(60, progress)]
        rate = evaluate(formula(fit, schedule), (*facts.facts, "progress"), values, np)
        shape = dict(PLAIN)[schedule](np.array(progress))
        np.testing.assert_allclose(rate, np.exp(fit.log_rates(TASKS.facts)) * shape, rtol=1e-9)


@pytest.mark.parametrize("facts", SETS, ids=lambda s: s.name)
def test_every_template_is_a_formula_of_so_many_constants(facts):
    from psi.fit.formula.formula import constant_names

    names = constant_names(parse(template(facts, "cosine")), (*facts.facts, "progress"))
    assert len(names) == facts.constants


def test_a_law_of_too_many_constants_is_refused():
    facts = FactSet("", FACTS, ("parameters", "batch", "steps", "budget"))
    candidate = Candidate(facts)
    with pytest.raises(ValueError, match="at most 14 constants, got 15"):
        scale_law(fit_linear(TASKS, candidate), candidate, TASKS, "adam", "validation")


def test_one_rate_is_a_law_of_features_that_are_there():
    candidate = Candidate(SETS[1])
    fit = fit_linear(TASKS, candidate)
    made = exponents(TASKS, candidate, 5)
    law = scale_law(fit, candidate, TASKS, "adam", "train", made, Interval(0.1, 0.05, 0.15))
    assert law.features == ("parameters", "progress")
    assert [each.name for each in law.constants] == ["rate", "parameters"]
    assert [each.value for each in law.scores] == [0.1, 0.05, 0.15]
    assert law.domain[0] == (TASKS.facts.parameters.min(), TASKS.facts.parameters.max())
    assert float(law([1000.0, 0.5])) == pytest.approx(0.5 * float(law([1000.0, 0.0])))
    longest = TASKS.facts.budget.max()
    lowest = np.exp(TASKS.best["linear"].log_rate.min()) / longest
    assert law.rates.low == pytest.approx(lowest)


def test_where_no_fact_is_known_the_level_is_the_mean_level():
    """Σ ω log α over tasks is log α at the typical facts, of exponents that ignore rows."""
    candidate = Candidate(SETS[-1]._replace(by_stream=()))
    fit, usual = fit_linear(TASKS, candidate), typical(TASKS)
    shares = task_weights(TASKS.domain)
    of_stream = float(shares @ TASKS.facts["stream"])  # which is taken for fixed data
    exponent = fit.exponents[candidate.facts.facts.index("stream")]
    wanted = float(shares @ fit.log_rates(TASKS.facts)) - of_stream * exponent
    assert float(fit.log_rates(pd.DataFrame([usual]))[0]) == pytest.approx(wanted)
    law = scale_law(fit, candidate, TASKS, "adam", "validation")
    assert law.typical == tuple(usual[name] for name in law.facts)


def test_typical_rows_are_those_of_fixed_data():
    assert (TASKS.facts["stream"] == 1).any()
    fixed = TASKS.facts["rows"][TASKS.facts["stream"] == 0]
    assert fixed.min() <= typical(TASKS)["rows"] <= fixed.max()
    streams = TASKS.take(TASKS.facts["stream"].to_numpy() == 1)
    assert (typical(streams)["rows"], typical(streams)["stream"]) == (1.0, 1.0)
    candidate = Candidate(SETS[2])
    law = scale_law(fit_linear(streams, candidate), candidate, streams, "adam", "train")
    assert law.typical[1] == 1.0


@pytest.mark.skipif(bool(MISSING), reason=f"no features of laws yet: {MISSING}")
def test_a_law_of_all_facts_is_saved_and_loaded(tmp_path):
    candidate = Candidate(SETS[-1])
    law = scale_law(fit_linear(TASKS, candidate), candidate, TASKS, "adam", "validation")
    law.save(tmp_path / "scale.json")
    assert load(tmp_path / "scale.json") == law
