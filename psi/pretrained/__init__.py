"""The law files that come with the package, made by `python -m experiments.ship`.

The law NAME is for training with the optimizer NAME, at the rate that is best for the loss on
validation rows; NAME-train at the rate that is best for the loss on the training rows.
NAME@VERSION is the law NAME as that version of the package shipped it. NAME-scaled is scale ×
shape, α = α_0 · Ψ, where α_0 is the user's or comes from a short probe run. Both are made by
experiments/closed_forms.
"""

from pathlib import Path


def laws() -> dict[str, Path]:
    """Name → file of every shipped law, of former versions too."""
    files = sorted(Path(__file__).parent.glob("*.*"))
    return {file.stem: file for file in files if file.suffix in (".json", ".safetensors")}
