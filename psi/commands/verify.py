"""psi verify."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tyro


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

        with bar("verifying", len(checks_of(self.problems))) as update:
            rows = verify(self.problems, update)
        if not self.json:
            print_rows("Estimates against the truth", rows)
        return {"rows": as_json(rows)}

    @staticmethod
    def failed(result: Any) -> bool:
        """Whether a row is not ok: exit code 1."""
        return not all(row["ok"] for row in result["rows"])


def as_json(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows as JSON values."""
    return [{k: _finite(v) for k, v in row._asdict().items()} for row in rows]


def _finite(value: Any) -> Any:
    """JSON knows no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_rows(title: str, rows: Sequence[Any]) -> None:
    """Rows as a table, those that are not ok in red."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=title)
    for name in ("problem", "what"):
        shown.add_column(name)
    for name in ("estimate", "truth", "error", "tolerance"):
        shown.add_column(name, justify="right")
    shown.add_column("ok")
    for row in rows:
        shown.add_row(
            row.problem, row.what, f"{row.estimate:.4g}", f"{row.truth:.4g}",
            f"{row.relative_error:.2%}", f"{row.tolerance:.1%}", "ok" if row.ok else "NOT OK",
            style=None if row.ok else "bold red",
        )  # fmt: skip
    Console(width=None if _is_terminal() else 120).print(shown)


def _is_terminal() -> bool:
    import sys

    return sys.stdout.isatty()
