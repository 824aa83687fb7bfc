"""Files and folders of a command, checked before it begins and imports JAX."""

from pathlib import Path


def check_output(option: str, path: Path, *suffixes: str) -> None:
    """Raise ValueError unless a file of this name can be written: its suffix, then its folder."""
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{option} must end in {' or '.join(suffixes)}, got {path}")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ValueError(f"cannot write {path}: {option} is a file name in an existing folder")


def check_data(folder: Path) -> None:
    """Raise ValueError unless the folder holds records."""
    if not any((folder / "manifest").glob("part-*.json")):
        raise ValueError(f"{folder} is no data set: it holds no records (manifest/part-*.json)")
