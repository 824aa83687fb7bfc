"""The law files that come with the package. experiments/closed_forms makes them.

The law NAME is for training with the optimizer NAME: Ψ is the rate α itself. NAME-scaled is
scale × shape: α = α_0 · Ψ, where α_0 is the user's or comes from a short probe run.
"""

from pathlib import Path


def laws() -> dict[str, Path]:
    """Name → file of every shipped law."""
    files = sorted(Path(__file__).parent.glob("*.*"))
    return {file.stem: file for file in files if file.suffix in (".json", ".safetensors")}
