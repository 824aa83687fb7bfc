"""psi diagnose."""

import textwrap
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

import psi
from psi.advice.diagnosis import diagnose
from psi.advice.log import Columns, read_log
from psi.advice.replay import comparison, replay_log
from psi.advice.smoothing import trend


@dataclass(frozen=True)
class DiagnoseCommand:
    """Say in plain words what a training log shows, and what Ψ would have done.

    The log is a CSV file with a line for every epoch or step: the loss, and where it has them the
    learning rate and how large updates are beside the weights. Columns are found by their usual
    names. Ψ is asked along the log's losses; under its rates they would have been others.
    Example: psi diagnose training.csv
    Example: psi diagnose metrics.csv --law momentum --epochs 100 --out diagnosis.png
    Example: psi diagnose run.csv --loss train/nll --rate opt/lr --steps-per-epoch 390 --json
    """

    log: tyro.conf.Positional[Path]
    """The log, a CSV file."""
    law: str = "adam"
    """What Ψ is asked of: the law for your optimizer (psi laws), or a law file."""
    out: Path | None = None
    """The picture, a PNG. None: the log's name with .diagnosis.png, in this folder."""
    columns: Annotated[Columns, tyro.conf.OmitArgPrefixes] = field(default_factory=Columns)
    """Names of columns, where the usual ones are not in use."""
    epochs: int | None = None
    """The budget T that was planned. None: as far as the log goes."""
    steps_per_epoch: int | None = None
    """Of a log that counts steps alone. None: a fiftieth of it stands for an epoch."""
    initial_loss: float | None = None
    """ε_0, log(classes) for cross-entropy. None: the log's first line, or the law's typical one."""
    scale: float | None = None
    """α_0 of a law that has a scale. None: its typical one."""
    parameters: int | None = None
    """How many parameters the network has. None: a typical number."""
    json: bool = False
    """Print what was found as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        picture = self.out or Path(f"{self.log.stem}.diagnosis.png")
        if picture.suffix.lower() != ".png":
            raise ValueError(f"the picture is a PNG: its name must end in .png, got {picture}")
        law, log = psi.load(self.law), read_log(self.log, self.columns)
        found = diagnose(log, self.initial_loss)
        periods = self.epochs, self.steps_per_epoch
        along = replay_log(log, law, *periods, self.initial_loss, self.scale, self.parameters)
        from psi.report.diagnosis import diagnosis_figure

        diagnosis_figure(log, trend(log), found, along, self.law, picture)
        words = f"Ψ ({self.law}, T = {along.epochs}) along these losses: {comparison(along)}."
        if (log.loss <= 0).any():
            words += " Ψ knows positive losses only: it takes others as the lowest it has seen."
        if not self.json:
            named = [(what, name) for what, name in asdict(log.columns).items() if name]
            columns = ", ".join(f"{what.replace('_', ' ')} {name!r}" for what, name in named)
            _say(f"{self.log}: {len(log.loss)} lines; {columns}")
            for each in found:
                _say(f"{each.name}: {each.text}")
            _say(words)
            print(f"picture: {picture}")
        rates = {"at": along.at.tolist(), "rates": along.law_rate.tolist()}
        return {
            "log": str(self.log), "lines": len(log.loss), "counted_in": log.unit,
            "columns": asdict(log.columns), "findings": [each._asdict() for each in found],
            "psi": {"law": self.law, "epochs": along.epochs, "words": words, **rates},
            "picture": str(picture),
        }  # fmt: skip


def _say(text: str) -> None:
    print(textwrap.fill(text, 96, subsequent_indent="    "))
