"""psi fit, psi show and psi laws."""

import shlex
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

import psi
from psi.fit.config import FitConfig
from psi.law.load import shipped
from psi.law.network import Network
from psi.law.printing import latex, python

if TYPE_CHECKING:
    from psi.fit.symbolic.front import Front

EPOCHS = 20  # of a drawing


@dataclass(frozen=True)
class FitCommand:
    """Estimate the ideal rates of a data set and fit a law to them.

    A symbolic fit writes all its formulas beside the law: LAW.front.csv and LAW.front.png.
    Example: psi fit out/demo --hold-out digits --out law.json
    Example: psi fit out/demo --kind curve --family 'loss_power*polynomial' --out law.json
    Example: psi fit out/demo --kind symbolic --features raw --optimizer sgd --out law.json
    Example: psi fit out/demo --kind symbolic --scaled --no-schedule --out law.json
    """

    folder: tyro.conf.Positional[Path]
    """A data set: what psi generate or psi demo wrote."""
    out: Path
    """Law file: .json for a closed form, .safetensors for a network."""
    config: Annotated[FitConfig, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes] = field(
        default_factory=FitConfig
    )
    hold_out: tuple[str, ...] = ()
    """Domains (data sets or synthetic families) that the fit must not see."""
    schedule: bool = True
    """Also train the data set's own tasks under the formulas: their regret as schedulers."""
    json: bool = False
    """Print the law as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.lab.engine.devices import prepare

        if self.out.is_dir() or not self.out.absolute().parent.is_dir():
            raise ValueError(
                f"cannot write {self.out}: a file name in an existing folder is needed"
            )
        prepare()
        from psi.fit.dataset import fit_dataset
        from psi.report.progress import bar

        law, kind, front = fit_dataset(
            self.folder, self.config, self.hold_out, self.schedule, self.command(), bar
        )
        law.save(self.out)
        if kind and len(kind.start) and not law.constants:
            print("one task alone: its constants have no intervals over tasks", file=sys.stderr)
        beside = _write_front(front, self.out) if front else ()
        if not self.json:
            _print_law(law)
            for path in beside:
                print(f"front      {path}")
        return law.document()

    def command(self) -> str:
        """What would have to be typed to make the law again."""
        said = ["psi", "fit", str(self.folder), "--kind", self.config.kind]
        said += ["--features", self.config.features]
        for each in fields(FitConfig):
            value = getattr(self.config, each.name)
            if each.name not in ("kind", "features") and value != each.default:
                said += [f"--{each.name}"] if value is True else [f"--{each.name}", str(value)]
        said += ["--hold-out", *self.hold_out] if self.hold_out else []
        said += [] if self.schedule else ["--no-schedule"]
        return shlex.join([*said, "--out", str(self.out)])


def _write_front(front: "Front", out: Path) -> tuple[Path, Path]:
    from psi.fit.symbolic.front import table
    from psi.law.file import write_atomic
    from psi.report.front import front_figure

    rows = table(front)
    csv, png = out.with_suffix(".front.csv"), out.with_suffix(".front.png")
    write_atomic(csv, rows.to_csv(index=False).encode())
    front_figure(rows, png, front.unit)
    return csv, png


@dataclass(frozen=True)
class ShowCommand:
    """Print a law: formula, constants with intervals, scale, domain, scores, provenance.

    Example: psi show out/demo/laws/curve.json --png law.png
    Example: psi show law.json --latex --python
    """

    law: tyro.conf.Positional[str]
    """A law file, or the name of a shipped law (psi laws)."""
    latex: bool = False
    """The formula in LaTeX as well."""
    python: bool = False
    """The formula in Python as well, in full, for numpy's arrays."""
    png: Path | None = None
    """Draw Ψ over loss and epoch into this file."""
    epochs: int | None = None
    """The budget T of the drawing. None: 20; where Ψ sees the epoch itself, what it has seen."""
    parameters: int | None = None
    """P of the drawing, where Ψ sees it. None: the middle of what it has seen."""
    json: bool = False
    """Print the law file's JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        law = psi.load(self.law)
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"epochs must be >= 1, got {self.epochs}")
        if self.parameters is not None and "parameters" not in law.features:
            raise ValueError(f"this law does not see the number of parameters: {law}")
        forms = _forms(law, self.latex, self.python)
        if self.png:
            from psi.report.figures import law_figure

            law_figure(law, self.epochs or _seen(law), self.png, self.parameters)
        if not self.json:
            _print_law(law, forms)
        return law.document()


def _forms(law: psi.Law, as_latex: bool, as_python: bool) -> list[tuple[str, str]]:
    if not (as_latex or as_python):
        return []
    if isinstance(law.model, Network):
        raise ValueError(f"a network has no formula: {law}")
    forms = [("LaTeX", latex(law.model))] if as_latex else []
    return forms + ([("Python", python(law.model))] if as_python else [])


def _seen(law: psi.Law) -> int:
    """Epochs of a drawing: those that a law of raw epochs has seen."""
    last = dict(zip(law.features, law.domain, strict=True)).get("epoch")
    return EPOCHS if last is None else int(last.high) + 1


def _print_law(law: psi.Law, forms: list[tuple[str, str]] | None = None) -> None:
    times = "α_0 · " if law.scale else ""
    print(f"Ψ = {law}" if not times else f"α = {times}ψ, ψ = {law}")
    for name, form in forms or ():
        print(f"{name:<10} {form}")
    for name, value, low, high in law.constants:
        print(f"  {name} = {value:.4g}  [{low:.4g}, {high:.4g}] 95 % over tasks")
    print(f"optimizer  {law.optimizer}; typical ε_0 {law.initial_loss:.3g} nats")
    if law.scale:
        print(f"scale      typical α_0 {law.scale:.3g}; each training's own from a probe")
    print_domain(law)
    print(f"rates      [{law.rates.low:.3g}, {law.rates.high:.3g}]{' of α_0' if law.scale else ''}")
    for name, value in law.scores:
        print(f"score      {name}: {value:.3g}{'' if 'nats' in name else ' nats'}")
    if law.provenance:
        made = law.provenance
        print(
            f"made from  data {made.data_hash[:12]}, config {made.config_hash[:12]}; "
            f"{', '.join(made.versions)}"
        )
        if made.command:
            print(f"made by    {made.command}")


def print_domain(law: psi.Law) -> None:
    """A line a feature."""
    for name, (low, high) in zip(law.features, law.domain, strict=True):
        print(f"domain     {name} in [{low:.3g}, {high:.3g}]")


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
