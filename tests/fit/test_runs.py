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


EXPORTS = {
    "wandb": (
        '"Name","State","batch","N","lr","loss"\n"a-1","finished","16","1e6","0.1","2.5"\n'
        '"b-2","crashed","16","1e6","0.2","1.5"\n"c-3","running","16","1e6","0.3",""\n'
        '"d-4","finished","16","1e6","0.4","NaN"\n',
        Columns("lr", "loss", ("N",)), ("State=finished",),
    ),
    "mlflow": (
        "run_id,status,params.lr,params.N,params.optimizer,metrics.loss\n"
        "0a1f,FINISHED,0.1,1000000,adam,2.5\n"
        "0b2e,FAILED,0.2,1000000,adam,\n0c3d,FINISHED,0.4,1000000,adam,inf\n"
        "0d4c,FINISHED,0.3,1000000,sgd,1.1\n",
        Columns("params.lr", "metrics.loss", ("params.N",)),
        ("status=FINISHED", "params.optimizer=adam"),
    ),
    "optuna": (
        ",number,value,datetime_start,params_N,params_lr,user_attrs_layers,state\n"
        "0,0,2.5,2026-01-01 10:00:00,1000000,0.1,2,COMPLETE\n"
        "1,1,,2026-01-01 11:00:00,1000000,0.2,2,FAIL\n"
        "2,2,nan,2026-01-01 12:00:00,1000000,0.4,2,COMPLETE\n"
        "3,3,1.9,2026-01-01 12:00:00,1000000,0.7,3,COMPLETE\n",
        Columns("params_lr", "value", ("params_N",)), ("user_attrs_layers=2.0",),
    ),
    "spreadsheet": (
        "sep=;\nN;lr;loss;kept\n1.000.000;0,1;2,5;x\n1.000.000;0,4;inf;x\n1.000.000;0,2;1,1;\n",
        Columns("lr", "loss", ("N",)), ("kept=x",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("tool", EXPORTS)
def test_kind_exports_of_tools(tool, tmp_path):
    """Two runs each: 0.1 with a loss of 2.5, and 0.4, which diverged."""
    text, columns, only = EXPORTS[tool]
    (tmp_path / "runs.csv").write_text(text)
    table = read_runs(tmp_path / "runs.csv", columns, DataConfig(), only).table
    assert table[columns.rate].tolist() == [0.1, 0.4]
    assert table[columns.loss].tolist() == [2.5, np.inf]
    assert table[columns.facts[0]].tolist() == [1e6, 1e6]


def test_rows_that_count_are_named_by_a_column_and_a_value_in_it(tmp_path):
    (tmp_path / "runs.csv").write_text("N,lr,loss,opt\n1,0.1,2,adam\n1,0.2,2,sgd\n")
    for only, words in (
        ("opt=lion", "unknown value of 'opt' 'lion'; allowed: adam, sgd"),
        ("op=adam", "unknown column 'op'; allowed: N, lr, loss, opt"),
        ("adam", "unknown column ''"),
    ):
        with pytest.raises(ValueError, match=f"runs.csv: {words}"):
            read_runs(tmp_path / "runs.csv", COLUMNS, DataConfig(), (only,))


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
