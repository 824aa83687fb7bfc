"""What a long computation has done, kept in a folder until it is whole.

    with keeping(folder):
        fitted = kept("curve", lambda: [fit(…)])

A computation that does the same steps in the same order each time, as a fit does, goes on where it
was stopped: a step that is in the folder is read instead of made. Outside of `keeping`, steps are
simply made.
"""

import contextlib
import io
import itertools
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from psi.law.file import write_atomic

_steps: ContextVar[Iterator[Path] | None] = ContextVar("steps", default=None)


@contextlib.contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """Keep the steps that are made within; the folder goes at the end, unless that is an error.

    Its name must hold all that the steps depend on. It is made with the first step.
    """
    token = _steps.set(folder / f"{number:06d}" for number in itertools.count())
    try:
        yield
    finally:
        _steps.reset(token)
    shutil.rmtree(folder, ignore_errors=True)


def kept(name: str, make: Callable[[], Sequence[ArrayLike]]) -> list[np.ndarray]:
    """The arrays that `make` returns, read where an earlier computation has kept them."""
    steps = _steps.get()
    if steps is None:
        return [np.asarray(each) for each in make()]
    path = next(steps).with_suffix(f".{name}.npz")
    # Not there, or damaged: np.load raises many things.
    with contextlib.suppress(OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        found = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        return [found[f"arr_{k}"] for k in range(len(found.files))]
    made, content = [np.asarray(each) for each in make()], io.BytesIO()
    np.savez(content, *made)
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, content.getvalue())
    return made
