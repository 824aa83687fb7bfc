"""Progress bars with the time left, on standard error."""

import contextlib
import math
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

from rich import progress as rich
from rich.console import Console
from rich.table import Column
from rich.text import Text

from psi.progress import Report

EVERY = 20.0  # seconds between lines where there is no terminal
WIDTH = 80  # of such a line


@contextlib.contextmanager
def bar(title: str) -> Iterator[Report]:
    """Show how far a long computation is, and the time that is left.

    Args:
        title: What is being done.

    Returns:
        A context that yields report(done, total, note): units done, units in all, and what comes
        next. It draws on standard error, or prints lines there where that is no terminal: the
        first at once, then one at most every 20 seconds, and the last.

    >>> from psi.report.progress import bar
    >>> with bar("counting") as report:
    ...     for done in range(3):
    ...         report(done + 1, 3, "the next one")
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title)
        return
    whole = Column(no_wrap=True)
    last = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        rich.TextColumn("{task.description}", table_column=whole), rich.BarColumn(8),
        rich.MofNCompleteColumn(table_column=whole), _Left(table_column=whole),
        rich.TextColumn("{task.fields[note]}", table_column=last),
    )  # fmt: skip
    with rich.Progress(*columns, console=console, expand=True) as progress:
        task = progress.add_task(title, total=None, note="")
        yield lambda done, total, note="": progress.update(
            task, completed=done, total=total, note=note
        )


class _Left(rich.ProgressColumn):
    """How long it will still take, and at the end how long it took."""

    def render(self, task: rich.Task) -> Text:
        if task.finished:
            return Text(f"in {_clock(task.finished_time)}")
        return Text(f"{_clock(task.time_remaining)} left")


def _clock(seconds: float | None) -> str:
    """E.g. 1:05:09; dashes where it is unknown."""
    return "-:--:--" if seconds is None else str(timedelta(seconds=int(seconds)))


def _lines(title: str) -> Report:
    """Report in lines: the first at once, one at most every 20 seconds, and the last."""
    started = time.monotonic()
    printed = -math.inf
    before: int | None = None  # done in an earlier call, which took no time in this one

    def update(done: int, total: int, note: str = "") -> None:
        nonlocal printed, before
        current = time.monotonic()
        before = done if before is None else before
        if current - printed > EVERY or done == total:
            printed = current
            just = done - before or done == total
            left = f"{(current - started) * (total - done) / just / 60:.1f}" if just else "?"
            line = f"{title} {done}/{total}, {left} min left, {note}"
            print(line.rstrip(", ")[:WIDTH], file=sys.stderr, flush=True)

    return update
