"""Who is run on a suite: rules at their default rate or tuned, searches, and laws.

A contestant is a row of the table at its default rate (`linear`), at a rate that was measured or
calibrated, or by the plan that a search found; a row whose rate is tuned on the task (`linear,
tuned`); the oracle; or a law, which runs under its own optimizer. Baselines that bring their own
optimizer are run once, as of the optimizer `own`.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from psi.bench.baselines import BASELINES, SCHEDULES, Baseline
from psi.bench.baselines.calibrated import CALIBRATED, FILE, calibrated_rates
from psi.bench.suites import Suite
from psi.bench.tuning import ORACLE
from psi.lab.optimizers import bounds
from psi.law.law import Law
from psi.law.load import load, located, shipped

OWN = "own"
SMOKE = (
    "constant", "linear", "linear, calibrated", "reduce_on_plateau", "range_test_cosine", "adam",
    "dog", "schedule_free_adamw", "oracle",
)  # fmt: skip
"""Who runs on the suite `smoke` where nobody is named: some of each kind, within a minute."""
TUNED = ", tuned"
PSI = "Ψ "
"""What the name of a law among the contestants begins with."""


@dataclass(frozen=True)
class Contestants:
    """Who is run: names of baselines (with `, tuned` of tuned ones), and laws by name."""

    optimizers: tuple[str, ...] = ("sgd", "momentum", "adam")
    methods: tuple[str, ...] = (
        *BASELINES.names, ORACLE.name, *(name + TUNED for name in SCHEDULES)
    )  # fmt: skip
    laws: tuple[tuple[str, Law], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "optimizers", tuple(dict.fromkeys(self.optimizers)))
        for optimizer in self.optimizers:
            bounds(optimizer)
        for name in self.methods:
            row = row_of(name)
            if name.endswith(TUNED) and not (row.tuned and row.optimizer is None):
                raise ValueError(f"{row.name} is not tuned: it brings its own optimizer or rate")
            if not (name.endswith(TUNED) or row.measure or row.plan or row.optimizer):
                for optimizer in self.optimizers:
                    row.default_rate(optimizer)
            if name.endswith(CALIBRATED) and row.optimizer is None:
                for optimizer in self.optimizers:
                    calibrated_rates(optimizer)
            if row.optimizer and (row.plan or row.measure):
                raise ValueError(f"{name} has an optimizer of its own: its rate is not measured")

    @classmethod
    def of(
        cls,
        methods: Sequence[str],
        laws: Sequence[tuple[str, Law]],
        optimizers: tuple[str, ...],
    ) -> "Contestants":
        """Those methods, or all, and with them always the tuned schedules."""
        tuned = [name + TUNED for name in SCHEDULES]
        chosen = tuple(dict.fromkeys([*(methods or (*BASELINES.names, ORACLE.name)), *tuned]))
        return cls(optimizers, chosen, tuple(laws))

    def __str__(self) -> str:
        """Who they are; a law with the beginning of a hash of what decides its rates."""
        laws = [
            f"{name} ({hashlib.sha256(rates_of(law)).hexdigest()[:8]})" for name, law in self.laws
        ]
        methods, named = ", ".join(self.methods), ", ".join(laws) or "none"
        return f"{methods}; laws {named}; {', '.join(self.optimizers)}"

    def under(self, optimizer: str) -> "tuple[Contestant, ...]":
        """Those that a task's own optimizer trains: rows of the table, then its laws."""
        laws = [Contestant(name, law) for name, law in self.laws if law.optimizer == optimizer]
        return (*(each for each in self._rows() if not each.own), *laws)

    def bringing(self) -> "tuple[Contestant, ...]":
        """Those that bring their own."""
        return tuple(each for each in self._rows() if each.own)

    def _rows(self) -> "list[Contestant]":
        return [Contestant(name, row_of(name), name.endswith(TUNED)) for name in self.methods]


def row_of(name: str) -> Baseline:
    """The row of a contestant's name; ValueError where there is none."""
    return ORACLE if name == ORACLE.name else BASELINES[name.removesuffix(TUNED)]


def named_laws(names: Sequence[str], optimizers: Sequence[str]) -> tuple[tuple[str, Law], ...]:
    """(name, law) of laws by name or file; without names, the shipped ones of the optimizers.

    Those for the training loss run where they are named: validation losses are compared.

    `Ψ adam` is a shipped law: there is a baseline `adam`. A file's name ends in the beginning of
    its SHA-256, so that in a folder of runs it never stands for another law. Raises ValueError for
    a law that cannot be read, or whose optimizer is not among `optimizers`.
    """
    if not names:
        own = (pair for pair in shipped() if pair[1].optimizer in optimizers)
        return tuple((PSI + name, law) for name, law in own if law.target != "train")
    house, found = dict(shipped(former=True)), []
    for name in dict.fromkeys(names):
        law, path = load(name), located(name)
        if law.optimizer not in optimizers:
            asked = ", ".join(optimizers)
            raise ValueError(f"law {name} is for {law.optimizer}; optimizers asked for: {asked}")
        own = name in house and not Path(name).exists()  # as `located` looks
        mark = "" if own else f"@{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
        found.append((f"{PSI}{name}{mark}", law))
    return tuple(found)


def rates_of(law: Law) -> bytes:
    """What of a law decides its rates, without what is said about them."""
    return replace(law, constants=(), scores=(), provenance=None).content()


class Contestant(NamedTuple):
    """A row of the table, at its default rate or tuned, or a law."""

    name: str
    policy: Baseline | Law
    tuned: bool = False

    @property
    def slug(self) -> str:
        """Its name in names of files: no other contestant's, nor of another content."""
        plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in self.name)[-40:]
        content = self.name.encode()
        if isinstance(self.policy, Law):
            content += rates_of(self.policy)
        elif self.name.endswith(CALIBRATED):
            content += FILE.read_bytes()
        elif plain == self.name:
            return plain
        return f"{plain}-{hashlib.sha256(content).hexdigest()[:8]}"

    @property
    def own(self) -> bool:
        """Whether it brings its own optimizer."""
        return isinstance(self.policy, Baseline) and self.policy.optimizer is not None


class Job(NamedTuple):
    """Contestants that train beside each other on one task."""

    optimizer: str
    task: int
    contestants: tuple[Contestant, ...]

    def part(self, contestant: Contestant) -> str:
        """The name of a contestant's part in the store."""
        return f"part-{self.optimizer}-{self.task:03d}-{contestant.slug}"


def jobs(suite: Suite, who: Contestants) -> Iterator[Job]:
    """All that there is to run, task by task."""
    for task in range(len(suite.specs)):
        for optimizer in who.optimizers:
            yield Job(optimizer, task, who.under(optimizer))
        for each in who.bringing():
            yield Job(OWN, task, (each,))


class Wanted(NamedTuple):
    """A job that is not done, by its number among all, and those of its contestants that are left.

    All of them are in its program, or what is left would have other bits.
    """

    number: int
    job: Job
    left: tuple[Contestant, ...]


def missing(suite: Suite, who: Contestants, kept: Collection[str]) -> list[Wanted]:
    """What is to be run where these parts are kept."""
    found = []
    for number, job in enumerate(jobs(suite, who)):
        if left := tuple(each for each in job.contestants if job.part(each) not in kept):
            found.append(Wanted(number, job, left))
    return found
