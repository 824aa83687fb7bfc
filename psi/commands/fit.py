"""psi fit: a law from a data set."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro

import psi
from psi.commands.files import check_data, check_output
from psi.commands.printing import print_law
from psi.fit.config import FitConfig

if TYPE_CHECKING:
    from psi.fit.symbolic.front import Front


@dataclass(frozen=True)
class FitCommand:
    """Estimate the ideal rates of a data set and fit a law to them.

    A symbolic fit writes all its formulas beside the law: LAW.front.csv and LAW.front.png.
    Example: psi fit out/demo --hold-out digits --out law.json
    Example: psi fit out/demo --kind curve --family 'loss_power*polynomial' --out law.json
    Example: psi fit out/demo --kind symbolic --features raw --optimizer sgd --out law.json
    Example: psi fit out/data --ideal out/ideal --polish --out law.json
    Example: psi fit out/demo --kind symbolic --scaled --no-schedule --out law.json
    From a table of your own runs, a power law of the best rate (psi fit --kind scale --help):
    Example: psi fit runs.csv --kind scale --rate lr --loss loss --facts N D --tuned batch
    """

    folder: tyro.conf.Positional[Path]
    """A data set: what psi generate or psi demo wrote."""
    out: Path
    """Law file: .json for a closed form, .safetensors for a network."""
    config: Annotated[FitConfig, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes] = field(
        default_factory=FitConfig
    )
    ideal: Path | None = None
    """Tables that psi ideal has made of this data set, in place of estimates from its records."""
    polish: bool = False
    """Search the formula's constants on whole trainings too, from where the fit has put them."""
    hold_out: tuple[str, ...] = ()
    """Domains (data sets or synthetic families) that the fit must not see."""
    schedule: bool = True
    """Also train the data set's own tasks under the formulas: their regret as schedulers."""
    plugin: tuple[Path, ...] = ()
    """Python files that the data set was made with (psi generate --plugin)."""
    json: bool = False
    """Print the law as one JSON object."""

    @classmethod
    def variant(cls, options: Sequence[str]) -> type:
        """The command that these options are of: a scale has others."""
        if ("--kind", "scale") in pairwise(options) or "--kind=scale" in options:
            if any(is_atlas(Path(option)) for option in options):
                from psi.commands.fit_atlas import FitAtlasCommand

                return FitAtlasCommand
            from psi.commands.fit_scale import FitScaleCommand

            return FitScaleCommand
        return cls

    def __post_init__(self) -> None:
        network = self.config.kind == "network"
        check_output("out", self.out, ".safetensors" if network else ".json")

    def run(self) -> Any:
        """Do it; what --json prints."""
        check_data(self.folder)
        from psi.lab.engine.devices import prepare

        prepare()
        from psi.fit.dataset import fit_law
        from psi.fit.search.finalists import Rounds
        from psi.lab.data.kept import keeping
        from psi.report.progress import bar

        rounds = Rounds() if self.polish else None
        with keeping(self._work()):
            law, candidate, front = fit_law(
                self.folder, self.config, self.hold_out, self.schedule, self.command(), bar,
                self.ideal, rounds,
            )  # fmt: skip
            law.save(self.out)
        if candidate and len(candidate.start) and not law.constants:
            print("one task alone: its constants have no intervals over tasks", file=sys.stderr)
        beside = _write_front(front, self.out) if front else ()
        if not self.json:
            print_law(law)
            for path in beside:
                print(f"front      {path}")
        return law.document()

    def _work(self) -> Path:
        """The hidden folder of what an interrupted fit has done; those of other fits go."""
        import jax

        from psi.lab.data import store

        files = [self.ideal / "summary.json"] if self.ideal else []
        inputs = [path.read_bytes().hex() for path in (*files, *self.plugin) if path.is_file()]
        versions = [psi.__version__, jax.__version__, np.__version__]
        key = store.digest([self.command(), store.data_hash(self.folder), inputs, versions])
        work = self.out.with_name(f".{self.out.name}.work-{key[:12]}")
        for other in self.out.parent.glob(f".{self.out.name}.work-*"):
            if other != work:
                shutil.rmtree(other)
        return work

    def command(self) -> str:
        """What would have to be typed to make the law again."""
        words = ["psi", "fit", str(self.folder), "--kind", self.config.kind]
        words += ["--features", self.config.features]
        for each in fields(FitConfig):
            value = getattr(self.config, each.name)
            if each.name not in ("kind", "features") and value != each.default:
                words += [f"--{each.name}"] if value is True else [f"--{each.name}", str(value)]
        words += ["--polish"] if self.polish else []
        words += ["--ideal", str(self.ideal)] if self.ideal else []
        words += ["--plugin", *map(str, self.plugin)] if self.plugin else []
        words += ["--hold-out", *self.hold_out] if self.hold_out else []
        words += [] if self.schedule else ["--no-schedule"]
        return shlex.join([*words, "--out", str(self.out)])


def is_atlas(folder: Path) -> bool:
    """Whether a folder holds the tables of an atlas."""
    return all((folder / f"{name}.parquet").is_file() for name in ("tasks", "runs"))


def _write_front(front: "Front", out: Path) -> tuple[Path, Path]:
    from psi.fit.symbolic.front import table
    from psi.law.file import write_atomic
    from psi.report.front import front_figure

    rows = table(front)
    csv, png = out.with_suffix(".front.csv"), out.with_suffix(".front.png")
    write_atomic(csv, rows.to_csv(index=False).encode())
    front_figure(rows, png, front.unit)
    return csv, png
