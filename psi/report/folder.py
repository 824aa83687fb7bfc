"""A folder of results that is replaced whole, and only where it is ours."""

import shutil
from pathlib import Path

MARK = ".psi-demo"


def work_folder(out: Path, key: str) -> Path:
    """Make the hidden folder in `out` in which results for `key` are made; drop those of others.

    Raises ValueError where `out` cannot be written or holds files that no demo made.
    """
    try:
        if out.exists() and not (out / MARK).exists() and any(out.iterdir()):
            raise ValueError(
                f"{out} holds files that are not a demo's; choose a new or an empty folder"
            )
        out.mkdir(parents=True, exist_ok=True)
        (out / MARK).touch()
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
    piece.
    """
    old = work / "replaced"
    old.mkdir()
    for name in reversed(products):
        if (out / name).exists():
            (out / name).rename(old / name)
    for name in products:
        (work / name).rename(out / name)
    shutil.rmtree(work)
