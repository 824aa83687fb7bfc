"""The table of checks behind `psi verify`; problems.md has each problem with its formula."""

from collections.abc import Callable, Sequence

from psi.law.checks import unknown
from psi.progress import Report, silent
from psi.verify import adversary, greedy, horizons, noiseless
from psi.verify.rows import Row, with_seconds

Check = Callable[[], list[Row]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("G1", greedy.of_the_loss), ("G1", greedy.of_the_epoch), ("G1", greedy.coverage),
    ("G2", greedy.linear_regression), ("G3", greedy.mixture), ("G4", horizons.short_sighted),
    ("G5", horizons.noise_floor), ("G6", horizons.drift), ("G7", noiseless.power_laws),
    ("G8", noiseless.sign_descent), ("G9", noiseless.exponential_tail),
    ("G11", noiseless.chebyshev), ("G13", adversary.guarantees),
)  # fmt: skip
"""(problem, what gives its rows)"""

PROBLEMS = tuple(dict.fromkeys(name for name, _ in CHECKS))


def checks_of(problems: Sequence[str]) -> list[tuple[str, Check]]:
    """The checks of the named problems; of all where none is named.

    Raises ValueError for an unknown name.
    """
    for name in problems:
        if name not in PROBLEMS:
            raise ValueError(unknown("problem", name, PROBLEMS))
    return [(name, check) for name, check in CHECKS if name in (problems or PROBLEMS)]


def verify(problems: Sequence[str] = (), report: Report = silent) -> list[Row]:
    """All rows of the named problems; of all problems where none is named.

    Raises ValueError for an unknown name.
    """
    chosen = checks_of(problems)
    rows: list[Row] = []
    for done, (name, check) in enumerate(chosen):
        report(done, len(chosen), name)
        rows += with_seconds(check)
    report(len(chosen), len(chosen), "")
    return rows
