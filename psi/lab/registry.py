"""A table of named rows: what the lab knows by name, and what a user adds to it.

The house's own rows stand where the table is made. `psi.use` appends a user's; nothing is ever
replaced or removed, so a name means one thing for as long as the process runs.
"""

from collections.abc import Iterator, Sequence
from typing import Generic, Protocol, TypeVar, runtime_checkable

from psi.law.checks import unknown


@runtime_checkable
class Named(Protocol):
    """A row: anything with a name."""

    @property
    def name(self) -> str:
        """What it is asked for by."""
        ...


Row = TypeVar("Row", bound=Named)


class Table(Generic[Row]):
    """Rows in the order in which they were added; `what` is the kind of thing, for messages."""

    def __init__(self, what: str, rows: Sequence[Row] = ()) -> None:
        self.what = what
        self._rows: dict[str, Row] = {row.name: row for row in rows}

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __getitem__(self, name: str) -> Row:
        """The row of that name. Raises ValueError, with the closest there are, for another."""
        if name not in self._rows:
            raise ValueError(unknown(self.what, name, self._rows))
        return self._rows[name]

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the house's own first."""
        return tuple(self._rows)

    def add(self, row: Row) -> None:
        """Append a row. Raises ValueError where its name stands for something else already."""
        if self._rows.setdefault(row.name, row) is not row:
            raise ValueError(f"there is another {self.what} called {row.name!r}")
