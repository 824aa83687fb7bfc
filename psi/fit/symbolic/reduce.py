"""Shorter formulas from a formula: what is left when one part of it is taken away.

A search by mutation and crossing finds forms that hold more than they need: an offset that is
almost zero, a factor that hardly moves. Every operation of the tree is replaced by each of its
arguments, or by a constant.
"""

from collections.abc import Iterator, Sequence

from psi.fit.formula.formula import Candidate, candidate
from psi.law.expression import Apply, Expression, Variable

NEW = "new"
"""Name of the constant that stands for a part."""


def reductions(whole: Candidate, features: Sequence[str]) -> Iterator[Candidate]:
    """Formulas with one part of `whole` less, not simplified; constants start where they were."""
    start = dict(zip(whole.formula.names, whole.start, strict=True))
    for tree in _without_one(whole.formula.tree):
        yield candidate(tree, features, start)


def _without_one(tree: Expression) -> Iterator[Expression]:
    if not isinstance(tree, Apply):
        return
    yield from tree.arguments
    yield Variable(NEW)
    for k, argument in enumerate(tree.arguments):
        for less in _without_one(argument):
            yield Apply(tree.operation, (*tree.arguments[:k], less, *tree.arguments[k + 1 :]))
