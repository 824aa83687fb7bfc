"""The jobs of a suite on many machines, through Ray (extra `ray`), as data sets are made there.

A worker is told the suite, who runs on it and the number of a job; its records come back to the one
process that commits them, and are those of one machine bit for bit.
"""

from collections.abc import Iterator, Sequence

from psi.bench.contestants import Contestants, Wanted, jobs
from psi.bench.kept import kept
from psi.bench.running import Engine, Parts, train
from psi.bench.suites import Suite
from psi.lab.data.cluster import connect, spread
from psi.lab.engine.devices import prepare


def ray_engine(address: str | None = None) -> Engine:
    """What trains jobs on the Ray cluster at `address`, or on one of its own on this machine.

    Raises ValueError where Ray is not installed or no cluster is there.
    """
    connect(address)
    return _engine


def _engine(
    suite: Suite, who: Contestants, wanted: Sequence[Wanted]
) -> Iterator[tuple[Wanted, Parts]]:
    named = {f"{suite.specs[w.job.task].name}, {w.job.optimizer}, {w.number}": w for w in wanted}
    calls = {
        name: (suite, who, each.number, frozenset(one.name for one in each.left))
        for name, each in named.items()
    }
    return ((named[name], parts) for name, parts in spread(_train_job, calls))


def _train_job(suite: Suite, who: Contestants, number: int, left: frozenset[str]) -> Parts:
    """As a worker of one core does it, where baselines are looked up by their names."""
    prepare(cores=1)
    job = [*jobs(suite, who)][number]
    own = [each for each in job.contestants if each.name in left]
    return train(suite, job, own, kept(suite))
