"""The shipped laws on held-out tasks: whose references and keys, and what a law must gain."""

import jax
import numpy as np

from psi.bench import shipped
from psi.bench.baselines import SCHEDULES
from psi.bench.judging import Judged
from psi.bench.references import reference
from psi.bench.shipped import by_optimizer, rows_of
from psi.bench.suites.held_out import HELD_OUT, STREAMS
from psi.law import load
from tests.bench.cases import judged, law


def test_every_held_out_task_is_judged_by_its_own_reference_under_its_own_key(monkeypatch):
    specs = [spec for spec in HELD_OUT if spec.name == "iris"] * 2 + [STREAMS[0]]
    keys = set()

    def judge(task, known, laws, single, policy, key):
        assert known == reference("sgd", task.name)
        keys.add(tuple(np.asarray(jax.random.key_data(key))))
        return Judged(task, ())

    monkeypatch.setattr(shipped, "judge", judge)
    found = shipped.judged_laws([("one", law("0.1"))], specs)
    assert [fixed for fixed, _ in found] == [True, True, False]
    assert len(keys) == 3


def test_a_law_that_gains_too_little_is_not_ok():
    names = [f"{schedule}, single rate" for schedule in SCHEDULES]
    good = judged(law=[0.2, 0.21], **{name: [0.5, 0.51] for name in names})
    even = judged(law=[0.5, 0.51], **{name: [0.5, 0.51] for name in names})
    assert all(row.ok for row in rows_of("law", [(False, good), (True, good)]))
    assert not any(row.ok for row in rows_of("law", [(False, even), (True, even)]))


def test_former_laws_are_judged_beside_those_of_today():
    found = {name: law.optimizer for laws in by_optimizer() for name, law in laws}
    assert found.keys() == {name for name, _ in load.shipped(former=True)}
    assert {"sgd", "sgd@0.1.0", "sgd-train"} <= found.keys()
    assert [{law.optimizer for _, law in laws} for laws in by_optimizer()] == [
        {"adam"}, {"momentum"}, {"sgd"},
    ]  # fmt: skip
