"""psi show: a law as formula, numbers and picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

import psi
from psi.commands.facts import facts_of
from psi.commands.files import check_output
from psi.commands.printing import print_law, print_table
from psi.law.expression import Expression
from psi.law.law import Law
from psi.law.network import Network
from psi.law.printing import LETTERS, latex, python

EPOCHS = 20  # of a drawing


@dataclass(frozen=True)
class ShowCommand:
    """Print a law: formula, constants with intervals, scale, domain, scores, provenance.

    Example: psi show out/demo/laws/curve.json --png law.png
    Example: psi show law.json --latex --python
    Example: psi show adam --png adam.png --facts parameters=5000 rows=2000 batch=32
    Example: psi show adam --run digits --hyper epochs=30 width=64 --png run.png
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
    facts: tuple[str, ...] = ()
    """Facts of the drawing, NAME=VALUE: parameters, rows, batch, … (psi.Facts). None: typical."""
    of_run: Annotated[str | None, tyro.conf.arg(name="run")] = None
    """Train this task under the law and draw that run instead: wine, digits, mine.csv:price, …"""
    hyper: tuple[str, ...] = ()
    """Hyperparameters of the run, NAME=VALUE: epochs, batch, network, width, depth, …"""
    json: bool = False
    """Print the law file's JSON object; with --run, the run's."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        if self.png:
            check_output("png", self.png, ".png")
        law = psi.load(self.law)
        if self.of_run:
            return self._run(law, self.of_run)
        if self.hyper:
            raise ValueError(f"hyperparameters are of --run TASK, got {' '.join(self.hyper)} alone")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"epochs must be >= 1, got {self.epochs}")
        facts = facts_of(self.facts)
        forms: list[tuple[str, str]] = []
        if self.latex or self.python:
            if isinstance(law.model, Network):
                raise ValueError(f"a network has no formula: {law}")
            forms = list(self._forms(law.model, law.recursion))
        if self.png:
            from psi.report.figures import law_figure

            seen = dict(zip(law.features, law.domain, strict=True)).get("epoch")
            epochs = self.epochs or (int(seen.high) + 1 if seen else EPOCHS)
            law_figure(law, epochs, self.png, facts)
        if not self.json:
            print_law(law, forms)
        return law.document()

    def _run(self, law: Law, task: str) -> dict[str, Any]:
        """Train the task under the law, print the run and draw it."""
        from psi.commands.follow import follow, table_of

        if self.latex or self.python or self.facts:
            raise ValueError(
                "--run counts the task's facts itself; --latex and --python are not of a run"
            )
        words = self.hyper if self.epochs is None else (f"epochs={self.epochs}", *self.hyper)
        made = follow(law, task, words)
        if self.png:
            from psi.report.run import run_figure

            title = f"{self.law} on {made.task}"
            run_figure(made.course, made.losses, made.val_losses, self.png, title, made.loss)
        if not self.json:
            print_table(f"{self.law} on {made.task}", *table_of(made), left=())
            print(made.last)
        return made.document()

    def _forms(self, rate: Expression, feedback: Expression | None) -> Iterator[tuple[str, str]]:
        """Ψ as it is asked for, and the feedback in one line more."""
        if self.latex:
            yield "LaTeX", latex(rate)
            if feedback:
                yield "", rf"{LETTERS['feedback']} \leftarrow {latex(feedback)}"
        if self.python:
            yield "Python", python(rate)
            if feedback:
                yield "", f"feedback = {python(feedback)}"
