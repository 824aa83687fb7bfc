"""The figure of a front is drawn for short fronts and long formulas alike."""

import pandas as pd
import pytest
from matplotlib.image import imread

from psi.report.front import front_figure

LONG = "loss/(loss + 0.5) + " * 9 + "0.25*tanh(epoch)"


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
        (["0.2*(1 - progress)^0.7*loss_ratio^(-0.4)", LONG], 1),
        ([f"{k}*loss" for k in range(40)], 39),
    ],
)
def test_front_figure(tmp_path, formulas, chosen):
    path = tmp_path / "front.png"
    front_figure(front(formulas, chosen), path)
    height, width, _ = imread(path).shape
    assert (width, height) == (1352, 624)
