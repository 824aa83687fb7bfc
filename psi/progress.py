"""How far a long computation is: the one type by which every room says so.

Whatever takes long takes a `report: Report = silent` and calls report(done, total, note) as it
goes. A `Bar` opens one with a title, `psi.report.progress.bar` in a terminal.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Report = Callable[[int, int, str], None]
"""(units done, units in all, what is being done) → None"""
Bar = Callable[[str], AbstractContextManager[Report]]
"""title → a context that yields a Report"""


def silent(done: int, total: int, note: str = "") -> None:
    """A Report that nobody sees."""
    del done, total, note


@contextmanager
def no_bar(title: str) -> Iterator[Report]:
    """A Bar that nobody sees."""
    del title
    yield silent


def within(report: Report, done: int, size: int, total: int, note: str = "") -> Report:
    """A Report for a stage that is `size` of the `total` units, begun with `done` behind it.

    Without a note the stage's own notes are passed on.
    """

    def stage(part: int, parts: int, own: str = "") -> None:
        report(done + size * part // max(parts, 1), total, note or own)

    return stage
