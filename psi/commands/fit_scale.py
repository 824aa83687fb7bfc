"""psi fit --kind scale: a power law of the best rate, from a table of one's own finished runs."""

import hashlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from psi.commands.files import check_output
from psi.commands.printing import as_json, print_table
from psi.commands.words import options_of
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.names import parts_of
from psi.law.features import FEATURES, check_names
from psi.law.law import Provenance

if TYPE_CHECKING:
    from psi.fit.power_law import PowerLaw
    from psi.fit.runs import Columns
    from psi.fit.sweep import Best


IN_TRAINING = ("loss", "epoch", "loss_ratio", "progress")
"""Features that are no facts of a run: they change within it."""


@dataclass(frozen=True)
class FitScaleCommand:
    """Fit a power law of the best learning rate to a table of your own finished runs.

    Runs of equal facts are a group. The best rate of each group, with its interval, is the least
    point of a quadratic through its best runs; the law is fitted to these, its intervals are over
    groups. Without --out it is printed and drawn alone.
    Example: psi fit runs.csv --kind scale --rate lr --loss val_loss --facts params batch
    Example: psi fit runs.csv --kind scale --rate lr --loss loss --facts N D --tuned batch --json
    Example: psi fit runs.parquet --kind scale --rate lr --loss loss --facts N --figure scale.png
    Example: psi fit runs.csv --kind scale --rate lr --loss loss --facts N --map N=parameters
    --optimizer adam --schedule cosine --out law.json
    """

    runs: tyro.conf.Positional[Path]
    """A .csv or .parquet file or a folder of parts: a row a run. A loss of nan or inf is a run that
    diverged; rows without a rate, a fact or a loss are left out."""
    rate: str
    """The column of the learning rate; of a schedule, of its peak."""
    loss: str
    """The column of the loss: less is better."""
    facts: tuple[str, ...]
    """Columns that the best rate is a power law of: model size, tokens, batch size, …"""
    kind: Literal["scale"] = "scale"
    """A power law of facts; psi fit --help has the other kinds."""
    tuned: tuple[str, ...] = ()
    """Columns that are tuned beside the rate: the best rate is that at their best values."""
    where: tuple[str, ...] = ()
    """COLUMN=VALUE, the runs that count: State=finished, optimizer=adam."""
    out: Path | None = None
    """Law file, .json. Every fact must be one that a law knows."""
    map: tuple[str, ...] = ()
    """What a law calls a fact, COLUMN=FEATURE: N=parameters. By default as the column is named."""
    optimizer: str = ""
    """That of the runs: sgd, momentum, adam or another name. A law file needs it."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the rate went in the runs, from its peak: a law file goes so too."""
    figure: Path | None = None
    """A PNG of best rates, intervals and law against each fact."""
    header: bool = True
    """The first line of a CSV holds names; without it columns are named 0, 1, …"""
    force_header: bool = False
    """The first line holds names even though it looks like a row of data."""
    delimiter: str = ""
    """What separates the cells of a CSV; by default found."""
    encoding: str = ""
    """Of a CSV; by default found."""
    resamples: int = 2000
    """Of the bootstrap over groups."""
    seed: int = 0
    """Of the bootstrap."""
    json: bool = False
    """Print groups and law as one JSON object."""

    def __post_init__(self) -> None:
        if self.figure:
            check_output("figure", self.figure, ".png")
        if self.resamples < 100:
            raise ValueError(f"resamples must be >= 100, got {self.resamples}")
        if self.seed < 0:
            raise ValueError(f"seed must be >= 0, got {self.seed}")
        if self.out:
            check_output("out", self.out, ".json")
            self.features()

    def features(self) -> tuple[str, ...]:
        """What a law calls the facts. Raises ValueError where it knows one of them by no name."""
        pairs = {column: name for column, _, name in (each.rpartition("=") for each in self.map)}
        if odd := [name for name in pairs if name not in self.facts or not pairs[name]]:
            raise ValueError(f"map must be COLUMN=FEATURE with a column of facts, got {odd[0]!r}")
        names = tuple(pairs.get(fact, fact) for fact in self.facts)
        known = [name for name in FEATURES if name not in IN_TRAINING]
        if odd := [name for name in names if name not in known]:
            raise ValueError(
                f"a law file cannot hold the fact {odd[0]!r}: it knows {', '.join(known)} "
                "(--map COLUMN=FEATURE); without --out the law is printed"
            )
        check_names(names)
        if not self.optimizer:
            raise ValueError("a law file needs the optimizer of the runs: --optimizer")
        return names

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.fit.power_law import as_law, power_law
        from psi.fit.runs import Columns, read_runs
        from psi.fit.sweep import best_rates

        columns = Columns(self.rate, self.loss, self.facts, self.tuned)
        data = DataConfig(
            header=self.header, force_header=self.force_header, delimiter=self.delimiter,
            encoding=self.encoding,
        )  # fmt: skip
        runs = read_runs(self.runs, columns, data, self.where)
        groups = best_rates(runs.table, columns)
        law = power_law(groups, self.facts, self.resamples, self.seed)
        few = len(runs.table[list(self.facts)].drop_duplicates()) - len(groups)
        edges = sum(bool(group.edge) for group in groups)
        notes = (
            *runs.notes,
            *[f"groups of fewer than 3 rates, or all diverged, left out: {few}"] * bool(few),
            *[f"groups whose best run is at an edge, left out of the law: {edges}"] * bool(edges),
        )
        if self.figure:
            from psi.report.sweep import sweep_figure

            sweep_figure(groups, law, columns, self.figure)
        if self.out:
            made = self._provenance()
            as_law(law, self.features(), self.optimizer, self.schedule, made).save(self.out)
        for note in notes:
            print(f"psi: {self.runs}: {note}", file=sys.stderr)
        if not self.json:
            _print(groups, law, columns)
        shown = law._asdict() | {
            "exponents": as_json(law.exponents), "rate": law.rate._asdict(),
            "formula": f"{self.rate} = {law}",
        }  # fmt: skip
        return {"law": shown, "groups": as_json(groups), "notes": notes}

    def _provenance(self) -> Provenance:
        """The file, and what would have to be typed to make the law again."""
        words = ["psi", "fit", str(self.runs), "--kind", self.kind]
        words += options_of(self, ("runs", "kind", "figure", "json"))
        content = hashlib.sha256()
        for part in parts_of(self.runs):
            content.update(part.read_bytes())
        command = shlex.join(words)
        packages = tuple(f"{name}=={version(name)}" for name in ("psi-lr", "numpy", "scipy"))
        hashed = hashlib.sha256(command.encode()).hexdigest()
        return Provenance(content.hexdigest(), hashed, packages, command)


def _print(groups: Sequence["Best"], law: "PowerLaw", columns: "Columns") -> None:
    names = (*columns.facts, f"best {columns.rate}", "95 %", *columns.tuned, "runs", "rates",
             "diverged", "edge")  # fmt: skip
    cells = [
        (
            *(f"{fact:.4g}" for fact in group.facts), f"{group.rate:.3g}",
            f"{group.low:.3g} … {group.high:.3g}", *(f"{value:.4g}" for value in group.tuned),
            str(group.runs), str(group.rates), str(group.diverged), group.edge,
        )
        for group in groups
    ]  # fmt: skip
    print_table("Groups of equal facts", names, cells, ("edge",))
    print(f"{columns.rate} = {law}")
    for name, value, low, high in law.exponents:
        print(f"  exponent of {name} = {value:.3f}  [{low:.3f}, {high:.3f}] 95 % over groups")
    middle = ", ".join(
        f"{name} = {value:.3g}" for name, value in zip(columns.facts, law.middle, strict=True)
    )
    _, value, low, high = law.rate
    print(f"  {columns.rate} at {middle}: {value:.3g}  [{low:.3g}, {high:.3g}]")
    print(f"groups: {law.groups}; they scatter by ± {law.scatter:.0%} about the law, beyond their "
          "own errors")  # fmt: skip
