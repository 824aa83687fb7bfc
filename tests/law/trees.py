"""Random formulas, for hypothesis."""

from hypothesis import strategies as st

from psi.law.expression import OPERATIONS, Apply, Constant, Expression, Variable


def trees_of(
    numbers: st.SearchStrategy[float], names: tuple[str, ...], max_leaves: int
) -> st.SearchStrategy[Expression]:
    """Trees of every operation over these constants and variables."""
    leaves = numbers.map(Constant) | st.sampled_from(names).map(Variable)
    return st.recursive(leaves, _extend, max_leaves=max_leaves)


def _extend(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def of(name: str) -> st.SearchStrategy[Expression]:
        arguments = st.tuples(*[inner] * OPERATIONS[name].arity)
        return arguments.map(lambda found: Apply(name, found))

    return st.sampled_from(sorted(OPERATIONS)).flatmap(of)
