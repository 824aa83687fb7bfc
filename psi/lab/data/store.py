"""A data set on disk: Parquet parts and their manifest, committed so that nothing is half there.

    DIR/manifest/config.json   what the data are, and the hash of it
    DIR/manifest/part-….json   name, bytes, rows and SHA-256 of a part
    DIR/tasks.parquet          the task table
    DIR/records/part-….parquet

Commit: a dot-prefixed temporary file, fsync, link to the final name, fsync of the folder; then
the manifest entry by the same steps. A part without an entry does not count and is made again.
Every reader checks SHA-256; a part that is damaged or lost is named, and the others stay readable.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from psi.lab.data.folder import alone_in

Json = Any
AGAIN = "psi generate, called as before, makes it again"


class RecordsError(ValueError):
    """A data set that cannot be written, or is not what its manifest says."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder's rooms and keep other writers out. Raises RecordsError where it cannot."""
    try:
        for room in ("manifest", "records"):
            (folder / room).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordsError(f"cannot write to {folder}: {error.strerror}") from None
    with alone_in(folder, RecordsError):
        yield


def digest(data: Json) -> str:
    """SHA-256 of canonical JSON."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def begun(folder: Path, config: Json) -> bool:
    """Whether the folder holds parts of this config. Writes nothing.

    Raises RecordsError where it holds those of another one, naming the keys that differ, or where
    a file stands in its way.
    """
    above = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not above.is_dir():
        raise RecordsError(f"cannot write to {folder}: {above} is a file")
    if not _entries(folder):
        return False
    old = config_of(folder)
    changed = sorted(k for k in old.keys() | config.keys() if old.get(k) != config.get(k))
    if old and changed:
        diff = "; ".join(f"{k}: {old.get(k)} there, {config.get(k)} asked" for k in changed)
        raise RecordsError(f"{folder} was made by another config ({diff}); choose another folder")
    return True


def open_config(folder: Path, config: Json) -> None:
    """Note what the folder holds, or check that it holds just this; drop uncommitted files.

    A folder without a committed part takes any config. Raises RecordsError as `begun` does.
    """
    path = folder / "manifest" / "config.json"
    if not begun(folder, config):
        path.unlink(missing_ok=True)
        (folder / "tasks.parquet").unlink(missing_ok=True)
    for room in (".", "manifest", "records"):
        for temporary in (folder / room).glob(".*.tmp"):
            temporary.unlink()
    if not path.exists():
        commit(path, json.dumps({"config": config, "hash": digest(config)}, indent=1).encode())


def committed(folder: Path) -> dict[str, int]:
    """Parts that are there and as long as their entries say: name → rows. Removes all others.

    An entry that cannot be read, cut by a failure of power say, goes with its part.
    """
    sizes = {f.name: f.stat().st_size for f in os.scandir(folder / "records")}
    whole = {}
    for path in _entries(folder):
        try:
            entry = _entry(path)
        except RecordsError:
            entry = {"bytes": None}
        if sizes.get(f"{path.stem}.parquet") == entry["bytes"] is not None:
            whole[path.stem] = entry["rows"]
            del sizes[f"{path.stem}.parquet"]
        else:
            path.unlink()
    for stray in sizes:
        (folder / "records" / stray).unlink(missing_ok=True)
    return whole


def write_part(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Commit one part of the records.

    Raises RecordsError where it cannot be written, a full disk say; what is there stays whole.
    """
    content = parquet(frame)
    commit(folder / "records" / f"{name}.parquet", content)
    sha256 = hashlib.sha256(content).hexdigest()
    entry = {"name": name, "bytes": len(content), "rows": len(frame), "sha256": sha256}
    commit(folder / "manifest" / f"{name}.json", json.dumps(entry).encode())


def read_records(folder: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """All records of a data set, or some of their columns, in the order of its parts.

    Raises RecordsError where there are none or a part is missing, cut or altered.
    """
    return pd.concat(frames_of(folder, columns), ignore_index=True)


def arrow_records(folder: Path) -> pa.Table:
    """As `read_records`, quicker for thousands of parts; a column that a part lacks is null."""
    tables = [_table(folder, path.stem) for path in _parts(folder)]
    return pa.concat_tables(tables, promote_options="permissive")


def frames_of(folder: Path, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """Part after part, for data sets larger than memory. Raises as `read_records` does."""
    for path in _parts(folder):
        yield read_part(folder, path.stem, columns)


def stream(folder: Path, columns: Sequence[str], rows: int) -> Iterator[np.ndarray]:
    """Arrays of shape=(rows, columns), float32, the last one shorter; numeric columns only.

    Holds one part and one array in memory, however long the data set.
    """
    rest = np.empty((0, len(columns)), np.float32)
    for frame in frames_of(folder, columns):
        rest = np.concatenate([rest, frame[list(columns)].to_numpy(np.float32)])
        while len(rest) >= rows:
            yield rest[:rows]
            rest = rest[rows:]
    if len(rest):
        yield rest


def read_part(folder: Path, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """One part's records. Raises RecordsError where it is missing, cut or altered."""
    content = _content(folder, _entry(folder / "manifest" / f"{name}.json"))
    table = pq.read_table(pa.BufferReader(content), columns=columns and list(columns))
    return table.to_pandas()


def check(folder: Path) -> list[str]:
    """What is wrong with a data set, a line a part: lost, cut or altered. Reads every byte."""
    faults = []
    for path in _entries(folder):
        try:
            _content(folder, _entry(path))
        except RecordsError as error:
            faults.append(str(error))
    return faults


def read_tasks(folder: Path) -> pd.DataFrame:
    """The task table. Raises RecordsError where there is none, or it is damaged."""
    return read_table(folder / "tasks.parquet")


def read_table(path: Path) -> pd.DataFrame:
    """A table that `parquet` has made. Raises RecordsError where it is lost or damaged."""
    try:
        content = pa.BufferReader(path.read_bytes())
        return pq.read_table(content, page_checksum_verification=True).to_pandas()
    except FileNotFoundError:
        raise RecordsError(f"{path.parent} holds no {path.name}") from None
    except (OSError, ValueError) as error:
        raise RecordsError(f"{path} is damaged: {error}") from None


def data_hash(folder: Path) -> str:
    """One hash over every part's, in order."""
    return digest([_entry(path)["sha256"] for path in _entries(folder)])


def sizes(folder: Path) -> tuple[int, int]:
    """Rows and bytes of all parts, from the manifest."""
    entries = [_entry(path) for path in _entries(folder)]
    return sum(entry["rows"] for entry in entries), sum(entry["bytes"] for entry in entries)


def config_of(folder: Path) -> dict[str, Json]:
    """What the folder was made from; empty where nothing is there yet.

    Raises RecordsError where its manifest cannot be read.
    """
    path = folder / "manifest" / "config.json"
    return _manifest(path)["config"] if path.exists() else {}


def config_hash(folder: Path) -> str:
    """The hash of the config that made the data set."""
    return _manifest(folder / "manifest" / "config.json")["hash"]


def _entries(folder: Path) -> list[Path]:
    return sorted((folder / "manifest").glob("part-*.json"))


def _parts(folder: Path) -> list[Path]:
    if not (entries := _entries(folder)):
        raise RecordsError(f"{folder} holds no records (no manifest/part-*.json)")
    return entries


def _table(folder: Path, name: str) -> pa.Table:
    content = _content(folder, _entry(folder / "manifest" / f"{name}.json"))
    return pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)


def _manifest(path: Path, keys: Sequence[str] = ("config", "hash")) -> Json:
    try:
        found = json.loads(path.read_text())
        return {key: found[key] for key in keys}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RecordsError(f"{path} is damaged ({error}): {AGAIN}") from None


def _entry(path: Path) -> Json:
    return _manifest(path, ("name", "bytes", "rows", "sha256"))


def _content(folder: Path, entry: Json) -> bytes:
    path = folder / "records" / f"{entry['name']}.parquet"
    if not path.exists():
        raise RecordsError(f"{path} is missing, its manifest entry is there: {AGAIN}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise RecordsError(
            f"{path} is not what its manifest entry says (SHA-256 differs): delete it, {AGAIN}"
        )
    return content


def parquet(frame: pd.DataFrame) -> bytes:
    """A frame as the bytes of a Parquet file with page checksums."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    floats: Any = [f.name for f in table.schema if pa.types.is_floating(f.type)]
    others: Any = [f.name for f in table.schema if f.name not in floats]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression="zstd", use_dictionary=others, use_byte_stream_split=floats,
        write_page_checksum=True,
    )  # fmt: skip
    return sink.getvalue().to_pybytes()


def commit(path: Path, content: bytes) -> None:
    """A file under its final name, whole and on the disk, or not at all.

    Raises RecordsError where it cannot be written or is there already.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except OSError as error:
        raise RecordsError(f"cannot write {path}: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise RecordsError(f"cannot write {folder}: {error.strerror}") from None
    finally:
        os.close(descriptor)
