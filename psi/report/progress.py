"""Progress bars with the time left, on standard error."""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich import progress as rich
from rich.console import Console
from rich.table import Column
from rich.text import Text

from psi.progress import Report

EVERY = 20.0  # seconds between lines where there is no terminal


class Speed(rich.ProgressColumn):
    """Units a second, over the last half minute."""

    def render(self, task: rich.Task) -> Text:
        """E.g. 312/s."""
        return Text(f"{task.speed:.3g}/s" if task.speed else "")


@contextlib.contextmanager
def bar(title: str) -> Iterator[Report]:
    """Show how far a long computation is, and the time that is left.

    Args:
        title: What is being done.

    Returns:
        A context that yields report(done, total, note): units done, units in all, and what comes
        next. It draws on standard error; where that is no terminal it also prints a line at most
        every 20 seconds.

    >>> from psi.report.progress import bar
    >>> with bar("counting") as report:
    ...     for done in range(3):
    ...         report(done + 1, 3, "the next one")
    """
    last = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        "{task.description}", rich.BarColumn(bar_width=16), rich.MofNCompleteColumn(), Speed(),
        rich.TimeElapsedColumn(), "left", rich.TimeRemainingColumn(),
        rich.TextColumn("{task.fields[note]}", table_column=last),
    )  # fmt: skip
    with rich.Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None, note="")
        started = printed = time.monotonic()

        def update(done: int, total: int, note: str = "") -> None:
            nonlocal printed
            progress.update(task, completed=done, total=total, note=note)
            current = time.monotonic()
            if not progress.console.is_terminal and current - printed > EVERY:
                printed = current
                left = (current - started) * (total - done) / done if done else float("nan")
                line = f"{title} {done}/{total}, {left / 60:.1f} min left, {note}"
                print(line, file=sys.stderr, flush=True)

        yield update
