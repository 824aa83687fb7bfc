"""What encoding refuses; its arrays are in test_files.py."""

import numpy as np
import pandas as pd
import pytest

from psi.lab.tasks.encoding import encode, row_name


def test_too_many_categories_name_a_cell_that_is_no_number():
    train = np.arange(2000)
    table = pd.DataFrame({"a": [f"{k}" for k in range(1999)] + ["x"]})
    with pytest.raises(ValueError, match=r"t: column 'a' .* is 'x' in row 1999\) and holds 2000"):
        encode("t", table, train)
    with pytest.raises(ValueError, match="is '00' in row 0"):
        encode("t", pd.DataFrame({"a": [f"0{k}" for k in range(2000)]}), train)


def test_how_a_row_is_named():
    assert row_name(3) == "row 3"
    assert row_name(("x_val", 3)) == "row 3 of x_val"
