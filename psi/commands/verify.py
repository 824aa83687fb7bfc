"""psi verify."""

from dataclasses import dataclass
from typing import Any

import tyro

from psi.commands.printing import as_json, not_ok, print_rows


@dataclass(frozen=True)
class VerifyCommand:
    """Check every estimate of the ideal rate against problems whose answer is known exactly.

    Trains networks (of one to ten weights, but very many) and compares what is estimated from them
    with closed forms; exit 1 where one is further off than it may be. Minutes on two cores.
    Example: psi verify --json
    Example: psi verify G1 G4
    """

    problems: tyro.conf.Positional[tuple[str, ...]] = ()
    """G1, G2, … of the table; all by default."""
    json: bool = False
    """Print {"rows": […]} as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.lab.engine.devices import prepare
        from psi.report.progress import bar

        prepare()
        from psi.verify.table import checks_of, verify

        checks_of(self.problems)  # a mistake is said before a bar is drawn
        with bar("verifying") as update:
            rows = verify(self.problems, update)
        if not self.json:
            print_rows("Estimates against the truth", rows)
        return {"rows": as_json(rows)}

    failed = staticmethod(not_ok)
