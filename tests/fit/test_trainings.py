"""The data set's own tasks, trained again under a law."""

import numpy as np
import pytest

import psi
from psi.fit.closed import REGRET
from psi.fit.config import FitConfig
from psi.fit.dataset import fit_law
from psi.fit.search.evolution import PolishConfig
from psi.fit.search.finalists import Rounds
from psi.fit.trainings import probed_scales, rebuilt, reference, schedule_regrets
from psi.lab.data import store
from psi.law.law import Law
from tests.fit.planted import SAMPLE, scores_of

STAGES = ("fitted to ideal rates", "polished")


def test_the_reference_is_the_best_linear_schedule_of_the_pilot():
    """Against a loop over rates: mean over seeds of the capped last loss, its score, the least."""
    records = store.read_records(SAMPLE)
    task, _ = next(each for each in rebuilt(SAMPLE, "sgd") if each[0].name == "wine")
    pilot = records[(records.task == "wine") & (records.family == "pilot_linear")]
    last, chance = pilot[pilot.epoch == 5], task.facts.chance_loss
    scores = []
    for _, runs in last.groupby(np.arange(len(last)) // 5):  # five seeds a rate, in order
        mean = np.mean([2 * chance if not v <= 2 * chance else v for v in runs.val_loss])
        scores.append(np.log(min(mean, 2 * chance) + 0.01 * chance))
    assert len(scores) == 15
    assert reference(records, "wine", task.facts) == pytest.approx(min(scores), rel=1e-6)
    with pytest.raises(ValueError, match="no linear pilot of wine"):
        reference(records[records.family != "pilot_linear"], "wine", task.facts)


@pytest.mark.slow
def test_the_regret_of_a_schedule_that_the_pilot_has_trained():
    """The linear family at a rate of the pilot is that very schedule, from the same seeds."""
    records = store.read_records(SAMPLE)
    fitted = fit_law(SAMPLE, FitConfig(family="linear"), schedule=False)
    assert fitted.candidate is not None
    best = {}
    for task, _ in rebuilt(SAMPLE, "sgd"):
        pilot = records[(records.task == task.name) & (records.family == "pilot_linear")]
        means = pilot[pilot.epoch == 5].val_loss.to_numpy().reshape(15, 5).astype(float)
        means = np.fmin(np.nan_to_num(means, nan=np.inf), 2 * task.facts.chance_loss).mean(1)
        best[task.name] = float(pilot[pilot.epoch == 0].lr.to_numpy()[5 * means.argmin()])
    rates = [np.log([rate]) for rate in best.values()]
    formulas = [fitted.candidate.formula] * len(rates)
    wide = tuple(r._replace(low=0.0, high=9.0) for r in fitted.law.domain)
    found = schedule_regrets(formulas, rates, wide, SAMPLE, FitConfig(), records)
    assert np.diag(found) == pytest.approx([0, 0], abs=1e-3)
    assert (found > -1e-3).all()


@pytest.mark.slow
def test_a_polished_law_schedules_no_worse_than_its_fit():
    small = Rounds(PolishConfig(4, generations=2, seeds=4), PolishConfig(4, generations=1, seeds=4))
    config = FitConfig(family="polynomial", resamples=4)
    law = fit_law(SAMPLE, config, schedule=False, polish=small).law
    scores = scores_of(law)
    fitted, polished = (scores[f"regret on the training tasks, {s}"] for s in STAGES)
    assert polished <= fitted
    assert [constant.name for constant in law.constants] == ["a", "q"]
    assert all(low <= high for _, _, low, high in law.constants)
    assert law.rates.low < law.rates.high
    with pytest.raises(ValueError, match="only a formula can be polished, got kind network"):
        fit_law(SAMPLE, FitConfig("network"), schedule=False, polish=small)


@pytest.mark.slow
def test_a_scaled_law_of_the_sample(tmp_path):
    scales = probed_scales(SAMPLE, "sgd")
    assert set(scales) == {"wine", "teacher-0"}
    fitted = fit_law(SAMPLE, FitConfig(family="linear", scaled=True))
    law = fitted.law
    assert law.scale == pytest.approx(np.median(list(scales.values())))
    assert np.isfinite(scores_of(law)[REGRET])
    law.save(tmp_path / "law.json")
    again: Law = psi.load(tmp_path / "law.json")
    assert again == law
