"""Progress bars with the time left, on standard error."""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from psi.progress import Report

EVERY = 20.0  # seconds between lines where there is no terminal


class Speed(ProgressColumn):
    """Units a second, over the last half minute."""

    def render(self, task: Task) -> Text:
        """E.g. 312/s."""
        return Text(f"{task.speed:.3g}/s" if task.speed else "")


@contextlib.contextmanager
def bar(what: str) -> Iterator[Report]:
    """A bar with that title."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        Speed(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn(
            "{task.fields[note]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
        ),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None, note="")
        told = started = time.monotonic()

        def update(done: int, total: int, note: str = "") -> None:
            nonlocal told
            progress.update(task, completed=done, total=total, note=note)
            now = time.monotonic()
            if not progress.console.is_terminal and now - told > EVERY:
                told = now
                left = (now - started) * (total - done) / done if done else float("nan")
                line = f"{what} {done}/{total}, {left / 60:.1f} min left, {note}"
                print(line, file=sys.stderr, flush=True)

        yield update
