"""psi bench."""

from dataclasses import dataclass
from typing import Any, Literal

import tyro


@dataclass(frozen=True)
class BenchCommand:
    """Measure how fast this machine trains populations of networks and keeps what it made.

    Example: psi bench engine --json
    Example: psi bench storage
    """

    what: tyro.conf.Positional[Literal["engine", "storage", "branching"]] = "engine"
    """engine: training on the canonical case, digits, 64-32-10, batch 64, 10 epochs of 24 steps.
    storage: going on with a sweep of 10,000 finished parts, and what committing costs.
    branching: candidate rates tried from the same states, beside as many runs."""
    quick: bool = False
    """Small populations and few parts only, to see that it works."""
    json: bool = False
    """Print the figures as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.lab.devices import prepare, use_cores
        from psi.report.progress import bar

        use_cores() if self.what == "engine" else prepare()
        from psi.bench.branching import bench_branching
        from psi.bench.engine import bench_engine
        from psi.bench.storage import bench_storage

        with bar("measuring", 100) as update:
            if self.what == "engine":
                found = bench_engine(self.quick, update)
            elif self.what == "branching":
                found = bench_branching(self.quick, update)
            else:
                found = bench_storage(100 if self.quick else 10_000, update)
        if not self.json:
            for name, value in found.items():
                print(f"{name:<28} {value}")
        return found
