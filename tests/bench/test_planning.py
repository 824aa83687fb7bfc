"""What a run of a suite would train, before and after it has."""

import pytest

from psi.bench.contestants import OWN, Contestants
from psi.bench.planning import planned
from psi.bench.running import SCORING, TUNING
from psi.bench.suites.suite import Suite
from psi.lab.data import store
from psi.lab.hyper import Hyper
from psi.lab.tasks.names import Spec

SMALL = Suite("small", (Spec("wine", Hyper(epochs=3, width=4)),), "0" * 64)
WHO = Contestants(("adam",), ("linear", "linear, tuned", "prodigy"))


def test_every_job_with_its_runs():
    first, second = planned(SMALL, WHO)
    assert (first.task, first.optimizer) == ("wine", "adam")
    assert first.contestants == first.missing == ["linear", "linear, tuned"]
    assert first.runs == 2 * len(SCORING) + 17 * len(TUNING)
    assert (second.optimizer, second.missing, second.runs) == (OWN, ["prodigy"], len(SCORING))


def test_what_is_in_the_folder_is_not_missing_and_nothing_is_written(tmp_path):
    folder = tmp_path / "run"
    assert [each.runs for each in planned(SMALL, WHO, folder)] == [360, 10]
    assert not folder.exists()
    for room in ("manifest", "records"):
        (folder / room).mkdir(parents=True)
    store.open_config(folder, {"digest": SMALL.digest})
    (folder / "manifest" / "part-adam-000-linear.json").touch()
    before = sorted(folder.rglob("*"))
    assert [each.missing for each in planned(SMALL, WHO, folder)] == [
        ["linear, tuned"], ["prodigy"],
    ]  # fmt: skip
    assert sorted(folder.rglob("*")) == before
    with pytest.raises(ValueError, match="holds runs on other tasks or data"):
        planned(SMALL._replace(digest="1" * 64), WHO, folder)
