"""The shipped law files, by name. None has been fitted well enough to ship yet."""

from pathlib import Path


def laws() -> dict[str, Path]:
    """Name → file of every shipped law."""
    files = sorted(Path(__file__).parent.glob("*.*"))
    return {file.stem: file for file in files if file.suffix in (".json", ".safetensors")}
