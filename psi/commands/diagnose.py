"""psi diagnose."""

import contextlib
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

import psi
from psi.advice.choosing import Columns
from psi.advice.diagnosis import diagnose
from psi.advice.impossible import NO_FLOOR
from psi.advice.log import Log, name_of, read_log
from psi.advice.optimizer_named import law_for
from psi.advice.replay import Replay, comparison, replay_log
from psi.advice.smoothing import trend
from psi.advice.table import count
from psi.commands.facts import facts_of
from psi.commands.printing import as_json
from psi.law.evaluation import stand_in
from psi.progress import Report


@dataclass(frozen=True)
class DiagnoseCommand:
    """Say in plain words what a training log shows, and what Ψ would have done.

    The log has a line for every epoch or step: CSV, JSON, JSON lines, or what was printed. Of its
    columns the training and validation loss, the learning rate, the gradient norm and how large
    updates are beside the weights are read, by their usual names. Ψ is asked along the log's
    losses; under its rates they would have been others.
    Example: psi diagnose training.csv
    Example: psi diagnose trainer_state.json --law momentum --epochs 100 --out diagnosis.png
    Example: psi diagnose training.csv --law adam --facts rows=50000 batch=128 classes=10
    Example: psi diagnose loss.csv --rate rate.csv
    Example: psi diagnose run.csv --loss train/nll --rate opt/lr --steps-per-epoch 390 --json
    """

    log: tyro.conf.Positional[Path]
    """The log; - for standard input."""
    law: str | None = None
    """What Ψ is asked of: the law for your optimizer (psi laws), or a law file. None: the law of
    the optimizer that the log names, else adam."""
    out: Path | None = None
    """A picture to draw as well, a PNG."""
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
    facts: tuple[str, ...] = ()
    """What the law is to know of the training, NAME=VALUE: parameters, rows, batch, classes, …
    (psi.Facts). What is not told is taken as typical."""
    json: bool = False
    """Print what was found as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        if self.out is not None and self.out.suffix.lower() != ".png":
            raise ValueError(f"the picture is a PNG: its name must end in .png, got {self.out}")
        facts = facts_of(self.facts)
        if self.law is not None:
            psi.load(self.law)  # a wrong name is told before a long log is read
        with _late_bar("reading") as report:
            log = read_log(self.log, self.columns, report)
        name, why = (self.law, "") if self.law is not None else law_for(log.optimizer)
        found = diagnose(log, self.initial_loss)
        along, words = None, "Ψ is not asked: it knows no loss without a floor."
        if not any(each.name == NO_FLOOR for each in found):
            law = psi.load(name)
            along = self._replayed(log, law, facts)
            words = f"Ψ ({name}, T = {along.epochs}) along these losses: {comparison(along)}."
            if unsaid := _unsaid(law, along.facts):
                words += f" What nobody told it (--facts) it takes as typical: {unsaid}."
            if (log.loss <= 0).any():
                words += " Ψ knows positive losses only: it takes others as the lowest it has seen."
        if self.out is not None:
            from psi.report.diagnosis import diagnosis_figure

            diagnosis_figure(log, trend(log), found, along, name, self.out)
        if not self.json:
            notes = [*log.notes, *([why] if why else [])]
            _say_all(f"{name_of(self.log)}: {count(len(log.loss), 'line')}", notes, found, words)
            if self.out is not None:
                print(f"picture: {self.out}")
        rates = [("at", along.at), ("rates", along.law_rate)] if along else []
        return {
            "log": str(self.log), "lines": len(log.loss), "counted_in": log.unit,
            "columns": asdict(log.columns), "notes": list(log.notes),
            "optimizer": log.optimizer and log.optimizer.said, "findings": as_json(found),
            "psi": {
                "law": name, "why": why, "epochs": along and along.epochs, "words": words,
                **{key: values.tolist() for key, values in rates},
            },
            "picture": None if self.out is None else str(self.out),
        }  # fmt: skip

    def _replayed(self, log: Log, law: psi.Law, facts: psi.Facts) -> Replay:
        periods = self.epochs, self.steps_per_epoch
        return replay_log(log, law, *periods, self.initial_loss, self.scale, facts)


def _unsaid(law: psi.Law, facts: psi.Facts) -> str:
    """The facts that the law sees and nobody gave, with what stands in for them."""
    missing = [name for name, value in facts.values().items() if value != value]
    return ", ".join(f"{name} {stand_in(law, name):.3g}" for name in law.facts if name in missing)


@contextlib.contextmanager
def _late_bar(title: str) -> Iterator[Report]:
    """A bar that is drawn from the first report on: a short log has none."""
    from psi.report.progress import bar

    with contextlib.ExitStack() as stack:
        drawn: list[Report] = []

        def report(done: int, total: int, note: str = "") -> None:
            if not drawn:
                drawn.append(stack.enter_context(bar(title)))
            drawn[0](done, total, note)

        yield report


def _say_all(title: str, notes: Any, found: Any, words: str) -> None:
    _say(title)
    for note in notes:
        _say(f"  {note}")
    for each in found:
        _say(f"{each.name}: {each.text}")
    _say(words)


def _say(text: str) -> None:
    print(textwrap.fill(text, 96, subsequent_indent="    "))
