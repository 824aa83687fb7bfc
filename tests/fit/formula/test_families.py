"""The table of curves: factors, names and sources."""

import numpy as np
import pytest

from psi.fit.formula.families import RAW, RELATIVE, SIZED, factor_formula, families, family, tables
from psi.law.printing import text


def test_factors_make_the_table():
    names = [each.name for each in families(RELATIVE)]
    assert len(names) == len(set(names)) == 6 * 9 * 2
    assert len(families(RAW)) == 6 * 6 * 2
    assert len(families(SIZED)) == 6 * 9 * 2 * 2
    assert all(each.source for each in families(RAW) if each.name != "constant")
    assert text(family("saturating*linear*warmup", RELATIVE).formula.tree).startswith(
        "a*(loss_ratio/"
    )


@pytest.mark.parametrize(
    ("name", "features", "message"),
    [
        ("parabola", RAW, "unknown family of loss and epoch 'parabola'; closest of 72: "),
        ("cosine", RAW, "unknown family of loss and epoch 'cosine'"),
        (
            "linear*saturating",
            RELATIVE,
            "unknown family of loss_ratio and progress 'linear.saturating'",
        ),
    ],
)
def test_unknown_families(name, features, message):
    with pytest.raises(ValueError, match=message):
        family(name, features)


@pytest.mark.parametrize("features", [RAW, RELATIVE, SIZED], ids=["raw", "relative", "sized"])
def test_a_family_is_a_rate_times_its_factors(features):
    """At e = 0.4, t = 0.3, n = 500 and constants whose searched numbers are all 0.2."""
    values = [0.4, 0.3, 500.0][: len(features)]

    def at(formula):
        return formula.value(features, values, np.full(len(formula.parameters), 0.2), np)

    for each in families(features)[::7]:
        factors = [table[row] for table, row in zip(tables(features), each.rows, strict=True)]
        product = np.exp(0.2) * np.prod([at(factor_formula(f, features)) for f in factors])
        assert at(each.formula) == pytest.approx(product, rel=1e-12)
        assert each.formula.parameters[0].quantity == "rate"
