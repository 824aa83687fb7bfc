"""The data sets that scikit-learn carries: split without overlap, standardised, shuffled."""

import numpy as np
import pytest

from psi.lab.hyper import Hyper
from psi.lab.tasks.real import DATASETS, real_task


@pytest.mark.parametrize("name", [name for name, _ in DATASETS])
def test_real_data_are_split_without_overlap_and_standardised_on_the_training_part(name):
    splits = real_task(name, Hyper()).splits
    train = np.asarray(splits.train.x)
    unclipped = (np.abs(train) < 5).all(0)
    np.testing.assert_allclose(train.mean(0)[unclipped], 0, atol=1e-5)
    deviation = train.std(0)[unclipped]
    assert np.all((np.abs(deviation - 1) < 1e-4) | (deviation == 0))
    x, y = dict(DATASETS)[name].load(return_X_y=True)
    assert sum(len(part.y) for part in splits) == len(y)
    rows = [sorted(row.tobytes() for row in np.asarray(part.x)) for part in splits]
    if len(np.unique(x, axis=0)) == len(x):  # iris holds the same flower twice
        assert len({row for part in rows for row in part}) == len(y)
