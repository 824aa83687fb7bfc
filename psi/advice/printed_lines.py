"""Training logs that were printed: `epoch 3 loss 0.21 lr 1e-3`, `Epoch [3/10], Loss: 0.21`.

In each line, a number that follows a name is its value, if the name is one that `column_names`
knows. What trainers print is read so: a script of one's own, Keras's progress bars, nanoGPT, timm,
Hugging Face's dictionaries, tqdm.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from psi.advice.column_names import HELD_OUT, RANKS, TRAIN, words
from psi.advice.table import FLOAT, Table, of_rows
from psi.progress import Report, silent

NAME = r"[A-Za-z_][\w/.]*(?:[ \-][A-Za-z_][\w/.]*){0,3}"
PAIR = re.compile(
    rf"""({NAME})['"]?(?:\((\w+)\))?[\])]?\s*[:=]?\s*['"]?[\[(]*\s*({FLOAT})(?![\w.%])""",
    re.IGNORECASE,
)
TOKEN = re.compile(rf"(?<![\w.])({FLOAT})(?![\w.%])", re.IGNORECASE)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BREAK = re.compile(r"\r?\n|[\r\x08]+")
OUTSIDE = re.compile(rf"\b({'|'.join((*TRAIN, *HELD_OUT))})\b", re.IGNORECASE)
QUIET = frozenset(("info", "debug", "is", "was", "at", "end", "this", "root", "log", "logger"))
EVERY = 1 << 16  # lines between reports
MOST_SHAPES = 10_000


@lru_cache(maxsize=4096)
def role(name: str) -> tuple[str, str] | None:
    """What a printed name stands for: (column, split); None for what is no part of a log."""
    plain = [word for word in words(name) if word not in QUIET]
    for k in range(len(plain)):  # "main epoch": words before a known name may be anything
        known = tuple(plain[k:])
        for column in ("loss", "validation", "rate", "gradient_norm", "epoch", "step"):
            if RANKS[column](known) is not None:
                if any(word in ("best", "per", "max", "min", "eta") for word in plain[:k]):
                    return None
                split = "val" if column == "validation" else "train" if TRAIN & set(known) else ""
                is_loss = column in ("loss", "validation")
                return f"{split} loss".strip() if is_loss else TITLES[column], split
    return None


TITLES = {
    "rate": "lr", "gradient_norm": "grad norm", "epoch": "epoch", "step": "step",
}  # fmt: skip


def places(line: str) -> dict[str, int]:
    """Where the values in a line begin: of epoch, step, loss, val loss, lr and grad norm."""
    found: dict[str, int] = {}
    begin, split = 0, ""
    for match in PAIR.finditer(line):
        known = role(match[1])
        if known is None:
            continue
        column, own = known
        if begin < match.start() and (outside := OUTSIDE.findall(line, begin, match.start())):
            split = outside[-1].lower()
        split = (match[2] or split).lower()  # Epoch(val) [1]
        begin = match.end()
        if column == "loss" and not own and split in HELD_OUT:
            column = "val loss"
        found.setdefault(column, match.start(3))
    return found


def holds_losses(lines: Sequence[str]) -> bool:
    """Whether some of the lines are printed losses."""
    return any({"loss", "train loss", "val loss"} & places(line).keys() for line in lines)


def read_printed(text: str, report: Report = silent) -> Table:
    """The lines of a printed log that hold a value; a row of the table each."""
    lines = BREAK.split(ANSI.sub("", text))
    rows, numbers, others = [], [], []
    shapes: dict[tuple[str, ...], tuple[tuple[str, int], ...]] = {}
    for k, line in enumerate(lines, 1):
        if k % EVERY == 0:
            report(k, len(lines), "")
        pieces = TOKEN.split(line)
        shape = tuple(pieces[::2])  # lines of one print differ in their numbers alone
        if shape not in shapes:
            if len(shapes) > MOST_SHAPES:
                shapes.clear()
            begins = {match.start(): j for j, match in enumerate(TOKEN.finditer(line))}
            found = places(line).items()
            shapes[shape] = tuple((name, 2 * begins[at] + 1) for name, at in found if at in begins)
        if known := shapes[shape]:
            rows.append({name: pieces[j] for name, j in known})
            numbers.append(k)
        elif len(others) < 1000:
            others.append(line)
    report(len(lines), len(lines), "") if len(lines) > EVERY else None
    filled = sum(map(bool, map(str.strip, lines)))
    notes = (f"printed lines: {len(rows):,} of {filled:,} hold a value",)
    return of_rows(rows, numbers, notes=notes, words="\n".join(others))
