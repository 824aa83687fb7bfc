"""psi laws: the laws that come with the package."""

import sys
from dataclasses import dataclass
from typing import Any

import psi
from psi.law.load import shipped


@dataclass(frozen=True)
class LawsCommand:
    """List the laws that are shipped: psi.load and psi show take their names.

    Example: psi laws
    """

    json: bool = False
    """Print them as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        laws = dict(shipped())
        if not self.json:
            _print_laws(laws)
        return {"laws": [_row(name, law) for name, law in laws.items()]}


def _row(name: str, law: psi.Law) -> dict[str, Any]:
    return {
        "name": name,
        "optimizer": law.optimizer,
        "features": list(law.features),
        "formula": str(law),
        "initial_loss": law.initial_loss,
        "scale": law.scale,
        "scores": [score._asdict() for score in law.scores],
    }


def _print_laws(laws: dict[str, psi.Law]) -> None:
    if not laws:
        print("none yet")
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table(title="Shipped laws: α = Ψ, or α = α_0 · Ψ where there is a scale")
    for header in ("name", "optimizer", "features", "Ψ", "typical ε_0", "typical α_0", "scores"):
        shown.add_column(header, justify="right" if "typical" in header else "left")
    for name, law in laws.items():
        scores = "\n".join(f"{score.name}: {score.value:.3g}" for score in law.scores)
        shown.add_row(
            name, law.optimizer, ", ".join(law.features), str(law), f"{law.initial_loss:.3g}",
            f"{law.scale:.3g}" if law.scale else "", scores,
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 180, markup=False).print(shown)
