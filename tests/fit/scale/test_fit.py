"""From an atlas's folder to a law, whole."""

import numpy as np
import pytest

from psi.fit.scale.choice import candidates
from psi.fit.scale.facts import FactSet
from psi.fit.scale.fit import fit_scale
from psi.fit.scale.table import read_atlas
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
