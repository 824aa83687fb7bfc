"""psi bench engine."""

from dataclasses import dataclass
from typing import Any, Literal

import tyro


@dataclass(frozen=True)
class BenchCommand:
    """Measure how fast this machine trains populations of networks.

    Example: psi bench engine --json
    """

    what: tyro.conf.Positional[Literal["engine"]] = "engine"
    """The engine on the canonical case: digits, 64-32-10, batch 64, 10 epochs of 24 steps."""
    quick: bool = False
    """Small populations only, to see that it works."""
    json: bool = False
    """Print the figures as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.lab.devices import use_cores

        use_cores()
        from psi.bench.engine import bench_engine
        from psi.report.progress import bar

        with bar("measuring", 100) as update:
            found = bench_engine(self.quick, update)
        if not self.json:
            for name, value in found.items():
                print(f"{name:<28} {value}")
        return found
