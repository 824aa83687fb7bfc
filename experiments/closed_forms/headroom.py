"""How much a schedule can matter on the held-out tasks.

python -m experiments.closed_forms.headroom

Writes psi/bench/fitting/headroom.csv, which `psi bench fit` prints beside the laws. No law is
involved: an oracle is searched for each task (psi.ideal.oracle) and compared with the tuned
constant rate.
"""

from dataclasses import dataclass
from pathlib import Path

import jax
import pandas as pd
import tyro

from psi.bench.fitting.held_out import HELD_OUT
from psi.ideal.oracle import Search, headroom
from psi.lab.bounds import BOUNDS
from psi.report.progress import bar

HERE = Path(__file__).parents[2] / "psi" / "bench" / "fitting" / "headroom.csv"
SEARCH = Search(restarts=2, generations=25, seeds=8)


@dataclass(frozen=True)
class Main:
    """Headroom of every held-out task under every optimizer of the shipped laws."""

    out: Path = HERE
    optimizers: tuple[str, ...] = ("sgd", "momentum", "adam")

    def run(self) -> None:
        """Do it."""
        from psi.lab.devices import prepare

        prepare()
        rows = []
        work = [(optimizer, spec) for optimizer in self.optimizers for spec in HELD_OUT]
        with bar("headroom", len(work)) as update:
            for done, (optimizer, spec) in enumerate(work):
                task = spec.task(optimizer)
                update(done, f"{optimizer}: {task.name}")
                found = headroom(task, dict(BOUNDS)[optimizer], jax.random.key(done), SEARCH)
                rows.append(
                    {
                        "optimizer": optimizer,
                        "task": task.name,
                        "headroom": round(found.nats, 4),
                        "low": round(found.low, 4),
                        "high": round(found.high, 4),
                    }
                )
                pd.DataFrame(rows).to_csv(self.out, index=False)
            update(len(work), "")


if __name__ == "__main__":
    tyro.cli(Main).run()
