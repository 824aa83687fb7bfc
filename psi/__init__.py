"""Psi: the ideal learning rate α_i = Ψ(ε, i) as a function of the loss ε and the epoch i.

Importing this package needs numpy alone. `psi.load` reads a fitted law; the rooms that make one
(`psi.lab`, `psi.ideal`, `psi.fit`, …) need the extra `lab` and are imported by name.
"""

from psi.advice.range_test import suggest_lr
from psi.law.file import LawFileError
from psi.law.law import Law
from psi.law.load import load

__version__ = "0.1.0"

__all__ = ["Law", "LawFileError", "__version__", "load", "suggest_lr"]
