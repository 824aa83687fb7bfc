"""A smooth model through the bins: the peak where it is known, and nothing beyond the visits."""

import numpy as np

from psi.ideal.binned import Bins, binned_surface
from psi.ideal.smooth import smooth_surface
from tests.ideal.walks import made


def test_a_smooth_model_finds_the_peak_and_predicts_only_where_runs_have_been():
    """ε' = ε (0.3 + (log α + 1)²): the best rate is e^−1 at every loss and epoch."""
    records, tasks = made()
    bins = Bins(loss=4, epoch=2, lr=8, least=3)
    table = binned_surface(records, tasks, "raw", "task", bins)
    table, choices = smooth_surface(records, tasks, table, "raw", "task", bins)
    assert set(choices) == {"a"}
    errors = dict(choices["a"].held_out_error)
    assert choices["a"].model == min(errors, key=lambda name: errors[name])
    assert np.isfinite(table.smooth[table.visited]).all()
    assert table.smooth[~table.visited].isna().all()
    for _, cell in table[table.visited].groupby(["loss_low", "epoch_low"]):
        if len(cell) == 8:
            best = cell.iloc[int(np.argmax(cell.smooth))]
            assert best.lr_low / 1.5 < np.exp(-1) < best.lr_high * 1.5


def test_too_few_bins_for_a_model_are_left_empty():
    records, tasks = made(runs=6)
    bins = Bins(loss=2, epoch=2, lr=2, least=2)
    table = binned_surface(records, tasks, "raw", "task", bins)
    table, choices = smooth_surface(records, tasks, table, "raw", "task", bins)
    assert not choices
    assert table.smooth.isna().all()
