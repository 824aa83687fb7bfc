"""A user's table of runs: what counts as a run, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from psi.fit.runs import Columns, read_runs
from psi.lab.tasks.data_config import DataConfig

COLUMNS = Columns("lr", "loss", ("N",))


def read(tmp_path, text, columns=COLUMNS, name="runs.csv"):
    (tmp_path / name).write_text(text)
    return read_runs(tmp_path / name, columns, DataConfig())


def test_a_loss_that_is_not_finite_is_a_run_and_an_empty_cell_is_none(tmp_path):
    """As tracking tools write them; crashed runs often miss more than the loss."""
    runs = read(
        tmp_path,
        "name,N,lr,loss\na,1e6,0.1,2.5\nb,1e6,0.2,NaN\nc,1e6,0.3,inf\nd,1e6,0.4,-Infinity\n"
        "e,1e6,0.5,\nf,,0.6,2.1\ng,1e6,,2.1\nh,1e6,0.8,nan\n",
    )
    assert runs.table.lr.tolist() == [0.1, 0.2, 0.3, 0.4, 0.8]
    assert runs.table.loss.tolist() == [2.5, *[np.inf] * 4]
    assert runs.notes == ("rows without a rate, a fact or a loss, left out: 3",)


def test_parquet_and_csv_agree(tmp_path):
    table = pd.DataFrame({"N": [10**6, 10**7], "lr": [0.1, 0.2], "loss": [2.5, np.nan]})
    table.to_parquet(tmp_path / "runs.parquet")
    found = read_runs(tmp_path / "runs.parquet", COLUMNS, DataConfig()).table
    text = read(tmp_path, "N;lr;loss\n1000000;0,1;2,5\n10000000;0,2;nan\n").table
    pd.testing.assert_frame_equal(found.reset_index(drop=True), text.reset_index(drop=True))
    assert found.loss.tolist() == [2.5, np.inf]


def test_settings_that_differ_among_seeds_are_named(tmp_path):
    """The batch differs between two runs of one rate, as the seed does; the name in every run."""
    text = "name,seed,batch,N,lr,loss\n" + "".join(
        f"run {k},{k % 3},{16 * (1 + k % 2)},1e6,{0.1 * (1 + k // 4)},2.{k}\n" for k in range(40)
    )
    (note,) = read(tmp_path, text).notes
    assert note == "runs that are averaged as seeds differ in batch: facts, or tuned?"
    assert read(tmp_path, text, Columns("lr", "loss", ("N",), ("batch",))).notes == ()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "1e6,0,2.5",
            r"column 'lr' in row 1: its logarithm is taken, .* positive and finite, got 0",
        ),
        ("1e6,0.1,2.5\n-3,0.1,2.5", "column 'N' in row 2: .* got -3"),
        ("inf,0.1,2.5", "column 'N' in row 1: .* got inf"),
        ("small,0.1,2.5\n1,0.1,2.5", "column 'N' must hold numbers, got 'small' in row 1"),
        ("1e6,0.1,2.5\n1e6,0.2,failed", "column 'loss' must hold numbers, got 'failed' in row 2"),
        ("1e6,auto,2.5", "column 'lr' must hold numbers, got 'auto'"),
    ],
)
def test_what_is_no_run_is_refused_by_its_row(tmp_path, rows, words):
    with pytest.raises(ValueError, match=rf"runs.csv: {words}"):
        read(tmp_path, f"N,lr,loss\n{rows}\n")


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(ValueError, match="unknown column 'los'; allowed: N, lr, loss"):
        read(tmp_path, "N,lr,loss\n1,0.1,2\n", Columns("lr", "los", ("N",)))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ((), "facts must name"),
        (("N", "N"), "'N' is twice"),
        (("lr",), "'lr'"),
        (("loss",), "'loss'"),
    ],
)
def test_columns_are_distinct(asked, words):
    with pytest.raises(ValueError, match=words):
        Columns("lr", "loss", asked)
