"""A data set on disk: Parquet parts and their manifest, committed so that nothing is half there.

    DIR/manifest/config.json   what the data are, and the hash of it
    DIR/manifest/part-….json   name, bytes, rows and SHA-256 of a part
    DIR/tasks.parquet          the task table
    DIR/records/part-….parquet

Commit: a dot-prefixed temporary file, fsync, link to the final name, fsync of the folder; then
the manifest entry by the same steps. A part without an entry does not count and is made again.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Json = Any


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder's rooms and keep other writers out. Raises ValueError where it cannot."""
    try:
        for room in ("manifest", "records"):
            (folder / room).mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise ValueError(f"cannot write to {folder}: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"{folder} is being written by another run") from None
        yield


def digest(data: Json) -> str:
    """SHA-256 of canonical JSON."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def open_config(folder: Path, config: Json) -> None:
    """Note what the folder holds, or check that it holds just this; drop uncommitted files.

    Raises ValueError naming the keys that differ where another config made it.
    """
    path = folder / "manifest" / "config.json"
    if path.exists():
        old = json.loads(path.read_text())["config"]
        changed = sorted(k for k in old.keys() | config.keys() if old.get(k) != config.get(k))
        if changed:
            diff = "; ".join(f"{k}: {old.get(k)} there, {config.get(k)} asked" for k in changed)
            raise ValueError(f"{folder} was made by another config ({diff}); choose another folder")
    for temporary in folder.glob("*/.*.tmp"):
        temporary.unlink()
    if not path.exists():
        _commit(path, json.dumps({"config": config, "hash": digest(config)}, indent=1).encode())


def has_part(folder: Path, name: str) -> bool:
    """Whether a part is committed, and as long as its entry says. Removes one that is not."""
    path = folder / "records" / f"{name}.parquet"
    entry = folder / "manifest" / f"{name}.json"
    size = path.stat().st_size if path.exists() else -1
    if entry.exists() and json.loads(entry.read_text())["bytes"] == size:
        return True
    path.unlink(missing_ok=True)
    entry.unlink(missing_ok=True)
    return False


def write_part(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Commit one part of the records."""
    content = _parquet(frame)
    _commit(folder / "records" / f"{name}.parquet", content)
    entry = {
        "name": name,
        "bytes": len(content),
        "rows": len(frame),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    _commit(folder / "manifest" / f"{name}.json", json.dumps(entry).encode())


def write_tasks(folder: Path, frame: pd.DataFrame) -> None:
    """Commit the task table, once."""
    if not (folder / "tasks.parquet").exists():
        _commit(folder / "tasks.parquet", _parquet(frame))


def read_records(folder: Path) -> pd.DataFrame:
    """All records of a data set, in the order of its parts.

    Raises ValueError where there are none or a part is missing, cut or altered.
    """
    entries = sorted((folder / "manifest").glob("part-*.json"))
    if not entries:
        raise ValueError(f"{folder} holds no records (no manifest/part-*.json)")
    return pd.concat([_read_part(folder, entry) for entry in entries], ignore_index=True)


def read_tasks(folder: Path) -> pd.DataFrame:
    """The task table. Raises ValueError where there is none."""
    path = folder / "tasks.parquet"
    if not path.exists():
        raise ValueError(f"{folder} holds no task table (tasks.parquet)")
    return pd.read_parquet(path)


def data_hash(folder: Path) -> str:
    """One hash over every part's, in order."""
    entries = sorted((folder / "manifest").glob("part-*.json"))
    return digest([json.loads(entry.read_text())["sha256"] for entry in entries])


def config_hash(folder: Path) -> str:
    """The hash of the config that made the data set."""
    return json.loads((folder / "manifest" / "config.json").read_text())["hash"]


def _read_part(folder: Path, entry: Path) -> pd.DataFrame:
    expected = json.loads(entry.read_text())
    path = folder / "records" / f"{expected['name']}.parquet"
    if not path.exists():
        raise ValueError(f"{path} is missing, its manifest entry is there")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != expected["sha256"]:
        raise ValueError(f"{path} is not what its manifest entry says (SHA-256 differs)")
    return pq.read_table(pa.BufferReader(content)).to_pandas()


def _parquet(frame: pd.DataFrame) -> bytes:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    floats: Any = [f.name for f in table.schema if pa.types.is_floating(f.type)]
    others: Any = [f.name for f in table.schema if f.name not in floats]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=others,
        use_byte_stream_split=floats,
        write_page_checksum=True,
    )
    return sink.getvalue().to_pybytes()


def _commit(path: Path, content: bytes) -> None:
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.link(temporary, path)
    temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
