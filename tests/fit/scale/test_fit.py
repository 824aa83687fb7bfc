"""From an atlas's folder to a law, whole."""

import numpy as np
import pytest

from psi.fit.scale.choice import candidates
from psi.fit.scale.facts import FactSet
from psi.fit.scale.fit import fit_scale
from psi.fit.scale.regret import regret_at
from psi.fit.scale.table import read_atlas
from psi.fit.scale.tuned import tuned_tasks
from psi.law.load import load
from tests.fit.scale.planted import planted

P = FactSet("P", ("parameters",))


@pytest.mark.parametrize("target", ["train", "validation"])
def test_from_a_folder_to_a_law_file(tmp_path, target):
    made = planted(0, domains=6, each=8, weights={"parameters": -0.5})
    for name, table in made.atlas._asdict().items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    tried = candidates((FactSet("one rate", ()), P), (1e-3,), ("linear", "constant"))
    found = fit_scale(read_atlas(tmp_path), "adam", target, tried, resamples=10)
    assert found.choice.candidate.facts == P
    assert found.law.constants[1].low < -0.5 < found.law.constants[1].high
    assert found.law.optimizer == "adam"
    rates = found.law(np.stack([made.atlas.tasks.parameters, np.zeros(48)]))
    assert np.median(np.abs(np.log(rates) - made.log_rate)) < 0.4
    found.law.save(tmp_path / "law.json")
    assert load(tmp_path / "law.json") == found.law


def test_a_level_multiplies_the_rates_and_is_judged_as_it_is(tmp_path):
    """Twice the best rates lose what the curves say; the constant's interval moves with it."""
    made = planted(0, domains=6, each=8, weights={"parameters": -0.5}, noise=0.0)
    tried = candidates((P,), (1e-3,), ("linear",))
    once, twice = (
        fit_scale(made.atlas, "adam", "validation", tried, resamples=10, level=level).law
        for level in (1.0, 2.0)
    )
    seen = np.stack([made.atlas.tasks.parameters, np.zeros(48)])
    np.testing.assert_allclose(twice(seen), 2 * once(seen), rtol=1e-9)
    for name in ("value", "low", "high"):
        both = [getattr(law.constants[0], name) for law in (once, twice)]
        assert both[1] == pytest.approx(2 * both[0])
    lost = [law.scores[0].value for law in (once, twice)]
    tasks = tuned_tasks(made.atlas, "adam", "validation")
    doubled = np.log(once(seen)) + np.log(2)
    wanted = regret_at(tasks.curves["linear"], doubled).mean()  # not left out, but of two constants
    assert lost[1] == pytest.approx(wanted, rel=0.15)
    assert lost[1] > 2 * lost[0]
