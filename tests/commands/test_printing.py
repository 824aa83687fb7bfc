"""Laws and rows in print."""

import math

import psi
from psi.commands.printing import as_json, print_law, print_rows
from psi.verify.rows import absolute


def test_a_row_is_printed_and_json_knows_no_nan(capsys):
    rows = [absolute("G1", "a", 0.5, 0.5, 0.1), absolute("G2", "b", math.nan, 1.0, 0.1)]
    good, bad = as_json(rows)
    assert (good["problem"], good["estimate"], good["ok"]) == ("G1", 0.5, True)
    assert (bad["estimate"], bad["relative_error"], bad["ok"]) == (None, None, False)
    print_rows("a title", rows)
    out = capsys.readouterr().out
    assert "a title" in out
    assert out.count("NOT OK") == 1


def test_a_scaled_law_says_what_its_rates_are_shares_of(capsys):
    law = psi.load("sgd-scaled")
    print_law(law, [("LaTeX", "x")])
    out = capsys.readouterr().out
    assert f"α = α_0 · ψ, ψ = {law}" in out
    assert f"typical α_0 {law.scale:.3g}" in out
    assert "LaTeX      x" in out
    for constant in law.constants:
        assert f"  {constant.name} = {constant.value:.4g}" in out
