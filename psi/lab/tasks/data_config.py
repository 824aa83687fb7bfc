"""How a user's table becomes a task, checked without importing anything heavy."""

from collections import Counter
from dataclasses import dataclass

from psi.law.checks import unknown

KINDS = ("auto", "classification", "regression")


@dataclass(frozen=True)
class DataConfig:
    """What is learnt from which rows. Raises ValueError where it makes no sense."""

    target: str = "-1"
    """The target column: its name, or its index as text, from the end where negative. The default
    is the last column, of an OpenML data set the target that it declares. NPZ files name theirs
    y."""
    header: bool = True
    """The first line of a CSV holds names; without it columns are named 0, 1, … A first line that
    looks otherwise is an error."""
    force_header: bool = False
    """The first line holds names even though it looks like a row of data."""
    delimiter: str = ""
    """What separates the cells of a CSV, one character; by default found: comma, semicolon, tab,
    bar or blanks."""
    encoding: str = ""
    """Of a CSV; by default found: UTF-8 or UTF-16, else Windows-1252."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out, by name or index."""
    numeric: tuple[str, ...] = ()
    """Columns that are numbers, whatever they look like; a cell that is none is a gap."""
    categorical: tuple[str, ...] = ()
    """Columns that are categories, whatever they look like."""
    kind: str = "auto"
    """auto, classification or regression. auto: classification where the target is no number, or
    takes at most 20 values, all whole numbers."""
    validation: float = 0.2
    """Share of the rows that become the validation part."""
    test: float = 0.2
    """Share of the rows that become the test part."""
    split_seed: int = 0
    """Another one draws other parts."""

    def __post_init__(self) -> None:
        if not self.target.strip():
            raise ValueError("target must be the name or the index of a column, got an empty text")
        if self.force_header and not self.header:
            raise ValueError("force_header needs header: a first line is names or it is not")
        if self.delimiter == "\\t":  # as a shell passes it on
            object.__setattr__(self, "delimiter", "\t")
        if len(self.delimiter) > 1 or self.delimiter in ('"', "\n", "\r"):
            raise ValueError(f"delimiter must be one character, no quote, got {self.delimiter!r}")
        if self.encoding:
            try:
                "a".encode(self.encoding)
            except LookupError:
                raise ValueError(f"unknown encoding {self.encoding!r}") from None
        asked = Counter((*self.ignore, *self.numeric, *self.categorical))
        if twice := [column for column, count in asked.items() if count > 1]:
            raise ValueError(
                f"ignore, numeric and categorical must be distinct, got {twice[0]!r} twice"
            )
        if self.kind not in KINDS:
            raise ValueError(unknown("kind", self.kind, KINDS))
        for name in ("validation", "test"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be in (0, 1), got {getattr(self, name)}")
        if not self.validation + self.test < 1:
            raise ValueError(
                "validation + test must be < 1, or no row is left for training; got "
                f"{self.validation} + {self.test}"
            )
        if not 0 <= self.split_seed < 2**32:
            raise ValueError(f"split_seed must be in [0, 2^32), got {self.split_seed}")
