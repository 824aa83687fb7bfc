"""The figure of a front is drawn for short fronts and long formulas alike."""

import numpy as np
import pandas as pd
import pytest

from psi.report.front import LONG, MOST, RED, front_figure
from tests.report.conftest import labels

LONGEST = "loss/(loss + 0.5) + " * 9 + "0.25*tanh(epoch)"


def front(formulas, chosen=0):
    count = len(formulas)
    return pd.DataFrame(
        {
            "complexity": [2 * k + 1 for k in range(count)],
            "n_constants": list(range(count)),
            "error": [0.9**k for k in range(count)],
            "held_out": [1.01 * 0.9**k for k in range(count)],
            "held_out_error": 0.05,
            "gap": 0.0,
            "gap_error": 0.01,
            "formula": formulas,
            "constants": "",
            "regret": float("nan"),
            "chosen": [k == chosen for k in range(count)],
        }
    )


@pytest.mark.parametrize(
    ("formulas", "chosen"),
    [
        (["0.1"], 0),
        (["loss", "0.3*loss", "20.1*loss/((epoch + 39.1)*(loss + 0.512))"], 2),
        (["0.2*(1 - progress)^0.7*loss_ratio^(-0.4)", LONGEST], 1),
        ([f"{k}*loss" for k in range(40)], 39),
    ],
)
def test_a_front_is_drawn_with_its_chosen_row_ringed(formulas, chosen, drawn, tmp_path):
    table = front(formulas, chosen)
    front_figure(table, tmp_path / "front.png", unit="run")
    axis, listed = drawn().axes
    ring = axis.lines[-1]
    np.testing.assert_allclose(ring.get_xydata(), [[2 * chosen + 1, 1.01 * 0.9**chosen]])
    names = [label.split(":")[0] for label in labels(drawn())]
    assert sorted(names) == ["all, fitted", "chosen", "front", "runs left out"]
    rows = len(listed.texts) // 3  # nodes, error, formula
    assert rows == min(len(formulas), MOST)
    red = {text.get_text() for text in listed.texts if text.get_color() == RED}
    assert (str(table.complexity[chosen]) in red) == (chosen < MOST)
    assert all(len(text.get_text()) <= LONG for text in listed.texts)
    assert "Ψ" in drawn().get_suptitle() or r"\Psi" in drawn().get_suptitle()
