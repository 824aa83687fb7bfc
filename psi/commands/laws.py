"""psi fit and psi show."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

import psi


@dataclass(frozen=True)
class FitCommand:
    """Estimate the ideal rates of a data set and fit a law to them.

    Example: psi fit out/demo --kind curve --hold-out digits --out law.json
    """

    folder: tyro.conf.Positional[Path]
    """A data set: what psi generate or psi demo wrote."""
    out: Path
    """Law file: .json for a curve, .safetensors for a network."""
    kind: Literal["curve", "network"] = "curve"
    """A closed form or a small Flax network."""
    hold_out: tuple[str, ...] = ()
    """Domains (data sets or synthetic families) that the fit must not see."""
    seed: int = 0
    """Seed of bootstrap and initialisation."""
    json: bool = False
    """Print the law as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.fit.dataset import fit_dataset

        law = fit_dataset(self.folder, self.kind, self.hold_out, self.seed)
        law.save(self.out)
        if not self.json:
            _print_law(law)
        return law.document()


@dataclass(frozen=True)
class ShowCommand:
    """Print a law: formula, constants with intervals, domain, scores, provenance.

    Example: psi show out/demo/laws/curve.json --png law.png
    """

    law: tyro.conf.Positional[Path]
    """A law file."""
    png: Path | None = None
    """Draw Ψ over loss and epoch into this file."""
    epochs: int = 20
    """The budget T of the drawing."""
    json: bool = False
    """Print the law file's JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        law = psi.load(self.law)
        if self.png:
            from psi.report.figures import law_figure

            law_figure(law, self.epochs, self.png)
        if not self.json:
            _print_law(law)
        return law.document()


def _print_law(law: psi.Law) -> None:
    print(f"Ψ = {law}")
    for name, value, low, high in law.constants:
        print(f"  {name} = {value:.4g}  [{low:.4g}, {high:.4g}] 95 % over tasks")
    print(f"optimizer  {law.optimizer}; typical ε_0 {law.initial_loss:.3g} nats")
    for name, (low, high) in zip(law.features, law.domain, strict=True):
        print(f"domain     {name} in [{low:.3g}, {high:.3g}]")
    print(f"rates      [{law.rates.low:.3g}, {law.rates.high:.3g}]")
    for name, value in law.scores:
        print(f"score      {name}: {value:.3g} nats")
    if law.provenance:
        made = law.provenance
        print(
            f"made from  data {made.data_hash[:12]}, config {made.config_hash[:12]}; "
            f"{', '.join(made.versions)}"
        )
