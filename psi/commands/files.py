"""Files that a command writes, checked before it begins."""

from pathlib import Path


def check_output(option: str, path: Path, *suffixes: str) -> None:
    """Raise ValueError unless a file of this name can be written: its suffix, then its folder."""
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{option} must end in {' or '.join(suffixes)}, got {path}")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ValueError(f"cannot write {path}: {option} is a file name in an existing folder")
