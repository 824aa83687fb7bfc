"""References of the held-out tasks: one row an optimizer and task."""

import pytest

from psi.bench.references import headroom, reference


def test_references_are_one_row_a_task(tmp_path):
    file = tmp_path / "references.csv"
    row = "sgd,iris,0.25,0.1,0.2,0.3,1.5,1.0,2.0\n"
    head = "optimizer,task,floor,constant,linear,cosine,headroom,headroom_low,headroom_high\n"
    file.write_text(head + row)
    assert reference("sgd", "iris", file) == (
        0.25,
        {"constant": 0.1, "linear": 0.2, "cosine": 0.3},
    )
    assert headroom(file).headroom.tolist() == [1.5]
    with pytest.raises(ValueError, match="one row of sgd, wine; got 0"):
        reference("sgd", "wine", file)
    file.write_text(head + row + row)
    with pytest.raises(ValueError, match="got 2"):
        reference("sgd", "iris", file)
