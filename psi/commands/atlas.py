"""psi atlas: train plain schedules of every rate on a thousand small tasks, and look at them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from psi.atlas.config import PRESETS, AtlasConfig
from psi.commands.files import check_output
from psi.commands.printing import print_table

if TYPE_CHECKING:
    from psi.atlas.tables import Tables
    from psi.fit.scale.look import Spread

PRESET = "smoke"


@dataclass(frozen=True)
class AtlasCommand:
    """Train constant, linear and cosine schedules of every rate on many small tasks.

    The folder then holds three tables: tasks with their facts, losses by rate, and what was probed
    before training. Rerun the same command to go on after an interruption. `show` prints how the
    best rates spread, and draws them; `join` makes one atlas of several.
    Example: psi atlas --preset smoke --out out/atlas
    Example: psi atlas --preset laptop --out out/atlas
    Example: psi atlas --preset full --out out/full --engine ray --address 10.0.0.1:6379
    Example: psi atlas --tasks 300 --optimizers adam --out out/small --dry-run
    Example: psi atlas show out/atlas --figure atlas.png
    Example: psi atlas join out/atlas out/full --out out/both
    """

    action: tyro.conf.Positional[Literal["make", "show", "join"]] = "make"
    """make, which goes without saying, show or join."""
    folders: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Of `show`: an atlas; of `join`: two or more."""
    out: Path | None = None
    """Folder of the atlas; an unfinished one of the same config is gone on with."""
    preset: Literal["smoke", "laptop", "full"] = PRESET
    """Where the other options' defaults come from: 16, 1,000 or 10,000 tasks; the last are longer
    and larger, for accelerators."""
    config: Annotated[AtlasConfig, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes] = field(
        default_factory=lambda: dict(PRESETS)[PRESET]
    )
    engine: Literal["local", "ray"] = "local"
    """Where parts are trained: ray shares them out among the machines of a cluster."""
    address: str | None = None
    """Of a running Ray cluster, host:port; without it, one on this machine is started."""
    dry_run: bool = False
    """Say what would be trained, and write nothing."""
    figure: Path | None = None
    """Of `show`: a PNG of the best rates."""
    json: bool = False
    """Print one JSON object."""

    def __post_init__(self) -> None:
        most = {"make": 0, "show": 1}.get(self.action, len(self.folders))
        if len(self.folders) > most:
            raise ValueError(
                f"{self.action} takes {most} folders without a name, got {len(self.folders)}"
            )
        if self.figure:
            check_output("figure", self.figure, ".png")
        if self.address is not None and self.engine != "ray":
            raise ValueError(f"address is for --engine ray alone, got {self.address!r}")

    @classmethod
    def preset_of(cls, options: Sequence[str]) -> "AtlasCommand":
        """What --preset names among the options, as defaults of all others."""
        named = re.search(r"--preset[ =](\S+)", " ".join(options))
        presets = dict(PRESETS)
        preset: Any = named[1] if named and named[1] in presets else PRESET
        return cls(preset=preset, config=presets[preset])

    def run(self) -> Any:
        """Do it; what --json prints."""
        if self.action == "show":
            folder = self.folders[0] if self.folders else None
            return self._show(_given("show needs the folder of an atlas", folder))
        if self.action == "join":
            return self._join(_given("atlases that are joined need a folder: --out", self.out))
        from psi.lab.engine.devices import prepare

        if self.dry_run:
            return self._plan()
        out = _given("an atlas needs a folder: --out", self.out)
        prepare()
        return self._make(out)

    def _plan(self) -> Any:
        from psi.atlas.padding import REACHES
        from psi.atlas.parts import parts

        every = parts(self.config)
        counts = {
            f"{number:02d} {shape.network} {shape.width}": sum(
                len(part.tasks) for part in every if part.shape == shape
            )
            for number, shape in enumerate(REACHES[self.config.reach].shapes)
        }
        total = sum(part.operations for part in every)
        if not self.json:
            for name, count in counts.items():
                print(f"{count:6,}  {name}")
            print(f"trainings and operations: {self.config.trainings:,}, {total:.2g} or more")
        return {"tasks": counts, "trainings": self.config.trainings, "operations": total}

    def _make(self, out: Path) -> Any:
        from psi.atlas.collect import collect
        from psi.atlas.tables import summarise
        from psi.report.progress import bar

        engine = None
        if self.engine == "ray":
            from psi.atlas.sharing import ray_engine

            engine = ray_engine(self.config, self.address)
        with bar("atlas") as report:
            collect(self.config, out, report, engine)
        with bar("tables") as report:
            made = summarise(self.config, out, report)
        return self._counted(made, out)

    def _join(self, out: Path) -> Any:
        from psi.atlas.tables import joined

        if len(self.folders) < 2:
            raise ValueError(f"join needs two atlases or more, got {len(self.folders)}")
        return self._counted(joined(self.folders, out), out)

    def _counted(self, made: "Tables", out: Path) -> dict[str, int]:
        counts = {name: len(table) for name, table in made._asdict().items()}
        if not self.json:
            print(f"{out}: {', '.join(f'{n:,} rows of {name}' for name, n in counts.items())}")
        return counts

    def _show(self, folder: Path) -> Any:
        from psi.fit.scale.look import best_rates, spreads
        from psi.fit.scale.table import read_atlas

        atlas = read_atlas(folder)
        found = spreads(atlas)
        if self.figure:
            from psi.report.atlas import atlas_figure

            best = best_rates(atlas, "validation")
            atlas_figure(best, atlas.tasks, self.figure)
        if not self.json:
            _print(found, len(atlas.tasks))
        return [each._asdict() for each in found]


def _given(message: str, folder: Path | None) -> Path:
    if not folder:
        raise ValueError(message)
    return folder


def _print(found: Sequence["Spread"], tasks: int) -> None:
    names = ("optimizer", "target", "best rate", "10 to 90 %", "schedule best on", "one rate loses")
    cells = [
        (
            each.optimizer, each.target, f"{each.middle:.3g}", f"{each.low:.3g} … {each.high:.3g}",
            f"constant {each.constant:.0%}, linear {each.linear:.0%}, cosine {each.cosine:.0%}",
            f"{each.one_rate:.3f} nats",
        )
        for each in found
    ]  # fmt: skip
    print_table(f"{tasks:,} tasks: linear schedules", names, cells, ("optimizer", "target"))
