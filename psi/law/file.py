"""Reading and writing the bytes of a law file, which psi/law/law_file.md describes.

A formula is JSON, a network safetensors with a JSON header. Data only: nothing here evaluates,
imports or unpickles what it reads.
"""

import contextlib
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np

FORMAT = "psi-law"
VERSION = 3
READABLE = (1, 2, VERSION)
MAX_FORMULA_BYTES = 1_000_000
MAX_NETWORK_BYTES = 50_000_000
FORMULA = ("formula", MAX_FORMULA_BYTES)
NETWORK = ("network", MAX_NETWORK_BYTES)

Document: TypeAlias = dict[str, Any]  # the JSON object of a law file


class LawFileError(ValueError):
    """A file that is no law: the message gives the file, the rule and what was found.

    It is the only exception that loading a law raises.

    Example:
        >>> import psi
        >>> try:
        ...     psi.load("no-such-law")
        ... except psi.LawFileError as error:
        ...     print(str(error)[:44])
        no-such-law: no such file, nor a shipped law
    """


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` under `path` whole or not at all: temporary file, fsync, rename."""
    if path.is_dir():
        raise ValueError(f"cannot write {path}: it is a folder, a file name is needed")
    import tempfile  # costs more than the rest of this module, and loading needs none

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes it readable to its owner alone
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def pack(document: Document, arrays: Sequence[tuple[str, np.ndarray]]) -> bytes:
    """A safetensors file: `document` as JSON in its header, then `arrays` as float64."""
    from safetensors.numpy import save  # formulas load without it

    tensors = {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in arrays}
    return save(tensors, metadata={FORMAT: json.dumps(document, allow_nan=False)})


def read(path: Path) -> tuple[Document, dict[str, np.ndarray]]:
    """The JSON object and the arrays (none for a formula) of a law file.

    Raises LawFileError with the reason where the file is missing, too large or no law file.
    """
    content, is_text = _content(path)
    try:
        return (parse(content.decode()), {}) if is_text else _unpack(content)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LawFileError(f"{path}: not a law file: {_reason(error)}") from None


def parse(text: str) -> Document:
    """Read a JSON object. Raises ValueError where a key stands twice or a number is not finite."""
    document = json.loads(text, object_pairs_hook=_distinct, parse_constant=_not_finite)
    if not isinstance(document, dict):
        raise ValueError(f"expected a JSON object, got {type(document).__name__}")
    return document


def _content(path: Path) -> tuple[bytes, bool]:
    """The bytes of a file that is not too large, and whether they are text (JSON)."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise LawFileError(f"{path}: not a file")
        with path.open("rb") as file:
            begin = file.read(9)
            # A safetensors file begins with the header's length, eight bytes, the last of which is
            # zero below 2^56; text holds no zero byte.
            is_text = len(begin) < 9 or begin[7] != 0
            what, most = FORMULA if is_text else NETWORK
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise LawFileError(f"{path}: a {what} may have {most} bytes at most")
            return begin + file.read(max(size - len(begin), 0)), is_text
    except LawFileError:
        raise
    except OSError as error:
        raise LawFileError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:  # a zero byte in the name
        raise LawFileError(f"{path}: {error}") from None


def _unpack(content: bytes) -> tuple[Document, dict[str, np.ndarray]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
    except SafetensorError as error:
        raise ValueError(error) from None
    size = int.from_bytes(content[:8], "little")
    header = parse(content[8 : 8 + size].decode())
    return parse(header["__metadata__"][FORMAT]), arrays


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no {error.args[0]!r} in its header"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]


def _distinct(pairs: list[tuple[str, Any]]) -> Document:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return document


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"numbers must be finite, got {name}")
