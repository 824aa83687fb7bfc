"""psi laws: the laws that come with the package."""

from dataclasses import dataclass
from typing import Any

import psi
from psi.commands.printing import print_table
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
        "name": name, "optimizer": law.optimizer, "features": list(law.features),
        "formula": str(law), "initial_loss": law.initial_loss, "scale": law.scale,
        "scores": [score._asdict() for score in law.scores],
    }  # fmt: skip


def _print_laws(laws: dict[str, psi.Law]) -> None:
    if not laws:
        print("none yet")
        return
    columns = ("name", "optimizer", "features", "Ψ", "typical ε_0", "typical α_0", "scores")
    left = [name for name in columns if "typical" not in name]
    rows = [
        (
            name, law.optimizer, ", ".join(law.features), str(law), f"{law.initial_loss:.3g}",
            f"{law.scale:.3g}" if law.scale else "",
            "\n".join(f"{score.name}: {score.value:.3g}" for score in law.scores),
        )
        for name, law in laws.items()
    ]  # fmt: skip
    title = "Shipped laws: α = Ψ, or α = α_0 · Ψ where there is a scale"
    print_table(title, columns, rows, left, 180)
