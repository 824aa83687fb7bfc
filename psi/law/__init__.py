"""What a law is: its features, formula or network, clock and file. Needs numpy alone.

`psi.load` reads a law. Schedulers and the training engine use it through a `Clock`; a formula is
written by `text` and read by `parse`.
"""

from psi.law.clock import Clock, ClockState
from psi.law.expression import Expression
from psi.law.facts import Facts
from psi.law.features import FEATURES, Observation
from psi.law.file import LawFileError
from psi.law.law import FittedConstant, Law, Provenance, Range, Score
from psi.law.network import Layer, Network
from psi.law.parsing import parse
from psi.law.printing import latex, python, text

__all__ = [
    "FEATURES", "Clock", "ClockState", "Expression", "Facts", "FittedConstant", "Law",
    "LawFileError", "Layer", "Network", "Observation", "Provenance", "Range", "Score", "latex",
    "parse", "python", "text",
]  # fmt: skip
