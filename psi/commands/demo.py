"""psi demo: from nothing to a fitted law that schedules a training."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from psi.commands.report import print_summary
from psi.demo_config import DemoConfig


@dataclass(frozen=True)
class DemoCommand:
    """From nothing to a fitted Ψ in charge of a training run, with tables, figures and a page.

    Example: psi demo --out out/demo
    Example: psi demo --plugin mine.py --baselines mine --out out/mine
    """

    out: Path = Path("out/demo")
    """Folder for records/, laws/, figures/, summary.json and report.html; a rerun replaces them."""
    config: Annotated[DemoConfig, tyro.conf.arg(name="")] = field(default_factory=DemoConfig)
    baselines: tuple[str, ...] = ()
    """What competes beside the plain schedules: rows that a plugin adds."""
    plugin: tuple[Path, ...] = ()
    """Python files whose PLUGIN holds what you add."""
    json: bool = False
    """Print summary.json on standard output instead of the table."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.lab.engine.devices import prepare

        prepare()
        from psi.demo import demo
        from psi.report.page import legend, machine

        summary = demo(self.config, self.out, self.baselines)
        if not self.json:
            print_summary(summary)
            print(legend(summary))
            print(f"{machine(summary)}. Report: {self.out / 'report.html'}")
        return summary
