"""psi generate: train small networks along random trajectories and record them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from psi.commands.printing import read_tables
from psi.lab.data.config import PRESETS, GenerateConfig
from psi.plugins import use_file

PRESET = "smoke"


@dataclass(frozen=True)
class GenerateCommand:
    """Train many small networks along randomised learning-rate trajectories and record them.

    Rerun the same command to go on after an interruption.
    Example: psi generate --preset smoke --out out/data
    Example: psi generate --preset laptop --tasks wine teacher-0 --seeds 8 --out out/data --dry-run
    Example: psi generate --tasks mine.csv --target price --ignore id --out out/mine --dry-run
    Example: psi generate --tasks a.csv:price b.csv:bought --out out/mine
    Example: psi generate --optimizers sgd adam --vary width=16,64 batch=8,32 --out out/sweep
    Example: psi generate --plugin mine.py --tasks mine --out out/mine
    """

    out: Path
    """Folder of the data set; an unfinished one of the same config is gone on with."""
    preset: Literal["smoke", "laptop", "full"] = PRESET
    """Where the other options' defaults come from: seconds, minutes or hours on two cores."""
    config: Annotated[GenerateConfig, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes] = field(
        default_factory=lambda: dict(PRESETS)[PRESET]
    )
    dry_run: bool = False
    """Say what each column of your files became, measure one part of each kind of task, say what
    the whole would take, and write nothing."""
    lanes: int | Literal["auto"] | None = None
    """Lanes a program; by default a constant of the kind of device, with auto what is quickest on
    the first task, measured once. Part of the data's identity."""
    engine: Literal["local", "ray"] = "local"
    """Where parts are trained: here, or by the workers of a Ray cluster."""
    address: str | None = None
    """The Ray cluster, host:port or auto; by default one is started on this machine."""
    json: bool = False
    """Print what was made as one JSON object."""

    def __post_init__(self) -> None:
        if self.address is not None and self.engine != "ray":
            raise ValueError(f"address is for --engine ray alone, got {self.address!r}")
        if isinstance(self.lanes, int) and self.lanes < 1:
            raise ValueError(f"lanes must be >= 1, got {self.lanes}")

    @classmethod
    def preset_of(cls, options: Sequence[str]) -> "GenerateCommand":
        """What --preset names among the options, as defaults of all others."""
        named = re.search(r"--preset[ =](\S+)", " ".join(options))
        presets = dict(PRESETS)
        preset: Any = named[1] if named and named[1] in presets else PRESET
        missing: Any = tyro.MISSING
        return cls(out=missing, preset=preset, config=presets[preset])

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.lab.engine.devices import prepare

        prepare()
        tables = read_tables(self.config, self.dry_run, self.json)
        return self._estimate(tables) if self.dry_run else self._generate()

    def _layout(self) -> Any:
        from psi.lab.engine.work import layout
        from psi.report.progress import bar

        if self.lanes != "auto":
            return layout(self.lanes)
        from psi.lab.data.lanes import measured_layout

        with bar("choosing lanes") as update:
            return measured_layout(self.config, self.out, update)

    def _estimate(self, tables: dict[str, Any]) -> dict[str, Any]:
        import time

        from psi.lab.data.estimate import estimate
        from psi.report.progress import bar

        startup = time.process_time()  # imports: one thread, which does not wait
        shape = self._layout()
        with bar("measuring") as update:
            found = estimate(self.config, shape, update, startup)._asdict()
        if not self.json:
            print(
                f"{found['runs']:,} runs, {found['rows']:,} rows, {found['bytes'] / 1e6:.1f} MB, "
                f"{found['minutes']:.1f} minutes here; nothing was written"
            )
        return found | ({"tables": tables} if tables else {})

    def _engine(self) -> Any:
        if self.engine == "local":
            from psi.lab.data.sweep import make

            return make
        from psi.lab.data.cluster import ray_engine

        return ray_engine(self.address, _make_part)

    def _generate(self) -> dict[str, Any]:
        from psi.lab.data import store
        from psi.lab.data.generate import generate
        from psi.report.progress import bar

        if self.engine == "ray":
            from psi.lab.data.cluster import check_address

            check_address(self.address)
        shape = self._layout()
        with bar("training networks") as report:
            if self.engine == "ray":
                report(0, self.config.runs(), "starting workers")
            generate(self.config, self.out, report, shape, self._engine())
        rows, size = store.sizes(self.out)
        made = {"out": str(self.out), "runs": self.config.runs(), "rows": rows, "bytes": size}
        if not self.json:
            print(f"{made['runs']:,} runs, {rows:,} rows, {size / 1e6:.1f} MB in {self.out}")
        return made


def _make_part(config: GenerateConfig, shape: Any, part: Any, criterion: float) -> Any:
    """As a worker makes it, which has run no plugin yet."""
    from psi.lab.data.cluster import make_part

    for path in config.plugin:
        use_file(path)
    return make_part(config, shape, part, criterion)
