"""The table of curves: what people use as schedules, and what theory says of the loss.

A family is a · L(e) · E(t) · S(n) · W(t): a rate, a factor of the loss, one of the epoch, and
perhaps one of the network's size and a warm-up. e and t are the raw features (ε in nats, i in
epochs) or the relative ones (ε/ε_0, i/T), n is P; factors that end at the budget T are for the
relative ones. To add a curve is to add a row.
"""

from itertools import product
from typing import NamedTuple

from psi.fit.formula.formula import Formula, Parameter
from psi.lab.registry import Table
from psi.law.checks import unknown
from psi.law.expression import Apply, Expression, Variable, nodes, substitute
from psi.law.parsing import parse


class Factor(NamedTuple):
    """A factor of a family, in e, t or n."""

    name: str
    text: str
    """Its formula."""
    parameters: tuple[Parameter, ...]
    source: str


class Family(NamedTuple):
    """A product of factors, as a formula in the features."""

    name: str
    formula: Formula
    source: str
    rows: tuple[int, ...]
    """The number of its factor in each of `tables`."""


RAW = ("loss", "epoch")
LOSS_ALONE = ("loss",)
RELATIVE = ("loss_ratio", "progress")
SIZED = (*RELATIVE, "parameters")
TIMES = ("epoch", "progress")

LOSS: tuple[Factor, ...] = (
    Factor("", "1", (), ""),
    Factor(
        "saturating", "e/(e + c)", (Parameter("c", True, "loss"),),
        "noisy quadratic: Schaul et al. 2012 (arXiv 1206.1106), Wu et al. 2018 (1803.02021)",
    ),
    Factor(
        "loss_power", "e^p", (Parameter("p"),),
        "power laws c|x|^q have p = (2 − q)/q, exponential tails −1: arXiv 2504.04105",
    ),
    Factor(
        "polyak", "max(e - f, 0.01*e)", (Parameter("f", True, "loss"),),
        "Polyak 1987; Loizou et al. 2021 (2002.10542), where the gradient's norm stays the same",
    ),
    Factor(
        "adalo", "(e + c)/(e + 2*c)", (Parameter("c", True, "loss"),),
        "AdaLo, which rises with the loss from one half to one (Information Sciences 690, 2025)",
    ),
    Factor(
        "adalo_falling", "c/(e + c)", (Parameter("c", True, "loss"),),
        "AdaLo's other mode, which falls as the loss rises",
    ),
)  # fmt: skip

EPOCH: tuple[Factor, ...] = (
    Factor("", "1", (), ""),
    Factor(
        "step", "k^(-floor(t/s))", (Parameter("k", True, "divisor"), Parameter("s", True, "time")),
        "divided by k every s: He et al. 2016 (1512.03385)",
    ),
    Factor(
        "exponential", "exp(-t/d)", (Parameter("d", True, "time"),), "Darken & Moody 1990 (NeurIPS)"
    ),
    Factor(
        "inverse_sqrt", "1/sqrt(1 + t/d)", (Parameter("d", True, "time"),),
        "Nemirovski et al. 2009 (SIAM J. Optim. 19); Vaswani et al. 2017 (1706.03762)",
    ),
    Factor(
        "inverse_time", "1/(1 + t/d)", (Parameter("d", True, "time"),),
        "Robbins & Monro 1951; search-then-converge, Darken & Moody 1990",
    ),
    Factor(
        "power", "(1 + t/d)^(-q)", (Parameter("d", True, "time"), Parameter("q")),
        "Bottou 2012 (Stochastic gradient descent tricks)",
    ),
)  # fmt: skip

BUDGETED: tuple[Factor, ...] = (
    Factor("linear", "1 - t", (), "Defazio et al. 2023 (2310.07831)"),
    Factor("polynomial", "(1 - t)^q", (Parameter("q"),), "Chen et al. 2017 (1606.00915)"),
    Factor(
        "cosine", "(1 + cos(3.141592653589793*t))/2", (), "Loshchilov & Hutter 2017 (1608.03983)"
    ),
)  # fmt: skip

SIZE: tuple[Factor, ...] = (
    Factor("", "1", (), ""),
    Factor(
        "size_power", "(n/1000)^u", (Parameter("u"),),
        "the rate falls with the width: Yang et al. 2022 (2203.03466); a is that of P = 1000",
    ),
)  # fmt: skip

WARMUP: tuple[Factor, ...] = (
    Factor("", "1", (), ""),
    Factor(
        "warmup", "min(1, 0.1 + 0.9*t/w)", (Parameter("w", True, "time"),),
        "from a tenth of the rate, over w: Goyal et al. 2017 (1706.02677)",
    ),
)  # fmt: skip


OWN_LOSS: Table[Factor] = Table("factor of the loss")
OWN_EPOCH: Table[Factor] = Table("factor of the epoch")
"""What a user adds (psi.use), behind the house's own and in every product with them."""


def check_factor(factor: Factor, letter: str) -> None:
    """Raise ValueError unless a user's factor is a formula in `letter` and its own constants.

    Its name must be new, and no constant may be called a, which is the rate in front.
    """
    names = {each.name for table in (LOSS, EPOCH, BUDGETED, SIZE, WARMUP) for each in table}
    if factor.name in names or "*" in factor.name:
        raise ValueError(f"a factor needs a name of its own without *, got {factor.name!r}")
    seen = {node.name for node in nodes(parse(factor.text)) if isinstance(node, Variable)}
    constants = {parameter.name for parameter in factor.parameters}
    if seen != constants | {letter} or "a" in constants:
        raise ValueError(
            f"factor {factor.name!r} must hold {letter} and its constants {sorted(constants)} "
            f"(none called a), got {sorted(seen)} in {factor.text!r}"
        )


def tables(features: tuple[str, ...]) -> tuple[tuple[Factor, ...], ...]:
    """The tables of factors in the features RAW, RELATIVE, SIZED or LOSS_ALONE.

    Budgeted epoch factors only where time is `progress`.
    """
    loss = (*LOSS, *OWN_LOSS)
    if features == LOSS_ALONE:
        return (loss,)
    times = (*EPOCH, *(BUDGETED if features[1] == "progress" else ()), *OWN_EPOCH)
    return (loss, times, SIZE, WARMUP) if features == SIZED else (loss, times, WARMUP)


def families(features: tuple[str, ...]) -> tuple[Family, ...]:
    """All families: the products of one factor of each table."""
    every = product(*(range(len(table)) for table in tables(features)))
    return tuple(_family(rows, features) for rows in every)


def family(name: str, features: tuple[str, ...]) -> Family:
    """One family by name: `constant`, or names of factors joined by `*`, the loss's first.

    Raises ValueError for an unknown name.
    """
    known = {each.name: each for each in families(features)}
    if name not in known:
        raise ValueError(unknown(f"family of {' and '.join(features)}", name, known))
    return known[name]


def factor_formula(factor: Factor, features: tuple[str, ...]) -> Formula:
    """A factor with the features in place of e, t and n."""
    variables = {letter: Variable(name) for letter, name in zip("etn", features, strict=False)}
    return Formula(substitute(parse(factor.text), variables), factor.parameters)


def _family(rows: tuple[int, ...], features: tuple[str, ...]) -> Family:
    chosen = [table[row] for table, row in zip(tables(features), rows, strict=True)]
    named = [factor for factor in chosen if factor.name]
    tree: Expression = Variable("a")
    for factor in named:
        tree = Apply("mul", (tree, factor_formula(factor, features).tree))
    own = (parameter for factor in named for parameter in factor.parameters)
    formula = Formula(tree, (Parameter("a", True, "rate"), *own))
    name = "*".join(factor.name for factor in named) or "constant"
    return Family(name, formula, "; ".join(factor.source for factor in named), rows)
