"""The formats in which training logs come, each a row of one table.

Text by the libraries that write it: Keras's and Lightning's CSV, TensorBoard's and wandb's exports,
YOLO's results.csv (CSV); Hugging Face's trainer_state.json, Keras's history, TensorBoard's JSON
(JSON); MMEngine's, fairseq's and one's own (JSON lines); and what was printed.
"""

import gc
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from psi.advice.csv_log import WHOLE, read_csv
from psi.advice.printed_lines import holds_losses, read_printed
from psi.advice.table import Table, left_out, of_rows
from psi.progress import Report, silent

BLOCK = 1 << 14  # lines parsed at once
HEAD = 4000  # characters by which a printed log is known
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[{}\[\]]')  # of JSON: a string or what encloses
CLOSES = {"{": "}", "[": "]"}
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours
CONTROL = [chr(k) for k in (*range(8), *range(14, 27), *range(28, 32))]  # in no log


class Format(NamedTuple):
    """One kind of log."""

    name: str
    is_it: Callable[[str], bool]
    """Of a log's text without blanks around it."""
    read: Callable[[str, Report], Table]


def read_table(path: Path, report: Report = silent) -> Table:
    """The table in a log file, whatever its format; of standard input where the path is `-`.

    Raises:
        ValueError: it is no text, or empty, or none of the formats.
        OSError: it cannot be read.
    """
    data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    text = _text(data).rstrip("\0")
    text = ANSI.sub("", text)
    if found := [text.index(each) for each in CONTROL if each in text]:
        raise ValueError(f"no text: a byte {ord(text[min(found)])} at {min(found)}")
    if not text.strip():
        raise ValueError("is empty")
    text = text if "\n" in text else text.replace("\r", "\n")  # of a progress bar, too
    with _no_collection():
        return next(each for each in FORMATS if each.is_it(text)).read(text, report)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without garbage collection, which looks at every row again and again and finds nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _text(data: bytes) -> str:
    """UTF-8, or UTF-16 that says so, or else Latin-1 (a comment in an old code page)."""
    marked = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        if marked:
            raise ValueError(f"no text: {error}") from None
        return data.decode("latin-1")


def _json(text: str, report: Report) -> Table:
    """One JSON document: entries of a list, or columns that are lists."""
    del report
    notes = ["lines are entries of JSON"]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        if (found := _object(_closed(text))) is None:
            raise ValueError(f"no whole JSON: {error}") from None
        notes.append("no whole JSON: read up to its last whole entry")
    entries: list[Any] = found if isinstance(found, list) else _entries(found)
    if all(isinstance(each, list) and len(each) == 3 for each in entries):
        entries = [dict(zip(("Wall time", "Step", "Value"), each, strict=True)) for each in entries]
    rows = [_flat(each) for each in entries if isinstance(each, dict)]
    if not rows:
        raise ValueError("JSON, but no log: neither entries with names nor columns of numbers")
    return of_rows(rows, range(1, len(rows) + 1), notes=tuple(notes))


def _closed(text: str) -> str:
    """A JSON document that was cut, closed after the last whole entry of its lists."""
    within: list[str] = []
    end, closing = 0, ""
    for match in TOKEN.finditer(text):
        if match[0] in CLOSES:
            within.append(CLOSES[match[0]])
        elif within and match[0] == within[-1]:
            within.pop()
            lists = within.count("]")
            if within and (not lists or (lists == 1 and within[-1] == "]")):
                end, closing = match.end(), "".join(reversed(within))
    return text[:end] + closing


def _entries(found: Any) -> list[Any]:
    """The entries of a document: its longest list of them, a mapping of them, or columns."""
    if not isinstance(found, dict):
        return []
    flat = _flat(found)
    lists = [each for each in flat.values() if isinstance(each, list)]
    if entries := max(
        (each for each in lists if each and type(each[0]) is dict), key=len, default=[]
    ):
        return entries
    alike = {re.sub(r"\d+", "", name) for name in found}
    if len(found) > len(alike) == 1 and all(isinstance(each, dict) for each in found.values()):
        return [{"epoch": int(re.sub(r"\D", "", k)), **each} for k, each in found.items()]
    columns = {k.removeprefix("history/"): v for k, v in flat.items() if isinstance(v, list)}
    most = max(map(len, columns.values()), default=0)
    rows: list[dict[str, Any]] = [dict.fromkeys(columns) for _ in range(most)]
    for name, cells in columns.items():  # a value an epoch stands at the end of its steps
        every = most // len(cells) if cells and most % len(cells) == 0 else 1
        for k, cell in enumerate(cells, 1):
            rows[k * every - 1][name] = cell
    return rows


def _flat(entry: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """{"train": {"loss": 1}} as {"train/loss": 1}; pandas's {"loss": {"0": 1}} as a list."""
    flat: dict[str, Any] = {}
    for name, value in entry.items():
        if not isinstance(value, dict):
            flat[before + name] = value
        elif value and all(key.isdigit() and type(each) is not dict for key, each in value.items()):
            flat[before + name] = list(value.values())
        else:
            flat |= _flat(value, f"{before}{name}/")
    return flat


def _json_lines(text: str, report: Report) -> Table:
    """An object a line; lines that are none are left out and said, if they are few."""
    lines = text.split("\n")
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    broken: list[int] = []
    for begin in range(0, len(lines), BLOCK):
        filled = [k for k in range(begin, min(begin + BLOCK, len(lines))) if lines[k].strip()]
        for k, entry in zip(filled, _objects([lines[k] for k in filled]), strict=True):
            if entry is None:
                broken.append(k + 1)
            else:
                rows.append(entry)
                numbers.append(k + 1)
        if len(lines) > BLOCK:
            report(min(begin + BLOCK, len(lines)), len(lines), "")
    cut = bool(broken) and broken[-1] == len(lines)
    notes = [f"line {broken.pop()}, the last, is cut: left out"] if cut else []
    wrong = [f"line {k} is no JSON object" for k in broken]
    notes += left_out(wrong, max(len(rows) / WHOLE, 1))
    return of_rows(rows, numbers, notes=tuple(notes), words=lines[0][:100_000])


def _objects(lines: Sequence[str]) -> list[dict[str, Any] | None]:
    """The object in each line, None in one that is none; many lines at once are parsed fast."""
    try:
        found = json.loads(f"[{','.join(lines)}]")
    except (ValueError, RecursionError):
        found = []
    if len(found) != len(lines):
        found = [_object(line) for line in lines]
    found = [each if type(each) is dict else None for each in found]
    return [_flat(each) if each and dict in map(type, each.values()) else each for each in found]


def _object(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_json_lines(text: str) -> bool:
    """Whether the first line is an object and the second begins one."""
    lines = text[: 1 << 20].lstrip().split("\n", 2)
    return len(lines) > 1 and lines[1].lstrip()[:1] == "{" and isinstance(_object(lines[0]), dict)


def _is_json(text: str) -> bool:
    first, second = (text.lstrip()[:1], text.lstrip()[1:100].lstrip()[:1])
    return second in {"{": ('"', "}"), "[": ("[", "{", "]")}.get(first, ())


def _is_printed(text: str) -> bool:
    return holds_losses(re.split("[\r\n\b]", text[:HEAD]))


FORMATS = (
    Format("JSON lines", _is_json_lines, _json_lines),
    Format("JSON", _is_json, _json),
    Format("printed lines", _is_printed, read_printed),
    Format("CSV", lambda text: bool(text), read_csv),
)
