"""A folder of results: one writer at a time; replaced whole, and only where it is ours."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone_in(folder: Path, error: type[ValueError] = ValueError) -> Iterator[None]:
    """Make a folder and keep other writers out; raises `error` where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as cause:
        raise error(f"cannot write to {folder}: {cause.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise error(f"{folder} is being written by another run") from None
        except OSError:
            pass  # a network file system without locks
        yield


def work_folder(out: Path, key: str, kind: str) -> Path:
    """Make the hidden folder in `out` in which results for `key` are made; drop those of others.

    `kind` is the command that makes such folders, demo or ideal. Raises ValueError where `out`
    cannot be written or holds files that it did not make.
    """
    mark = out / f".psi-{kind}"
    try:
        if out.exists() and not mark.exists() and any(out.iterdir()):
            raise ValueError(
                f"{out} holds files that psi {kind} did not make; choose a new or an empty folder"
            )
        out.mkdir(parents=True, exist_ok=True)
        mark.touch()
        work = out / f".work-{key}"
        for other in out.glob(".work-*"):
            if other != work:
                shutil.rmtree(other)
        work.mkdir(exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot write to {out}: {error.strerror}") from None
    return work


def publish(work: Path, out: Path, products: tuple[str, ...]) -> None:
    """Move finished products from `work` to `out`, replacing what is there, the last one last.

    The last product (the summary) is taken away first: where it stands, all the rest is of one
    piece. A product that was not made this time is only taken away.
    """
    old = work / "replaced"
    shutil.rmtree(old, ignore_errors=True)  # of a call that was stopped here
    old.mkdir()
    for name in reversed(products):
        if (out / name).exists():
            (out / name).rename(old / name)
    for name in products:
        if (work / name).exists():
            (work / name).rename(out / name)
    shutil.rmtree(work)
