"""The committed data set, read once."""

import pandas as pd
import pytest

from psi.lab.data.store import read_records, read_tasks
from tests.ideal.walks import SAMPLE


@pytest.fixture(scope="session")
def sample() -> tuple[pd.DataFrame, pd.DataFrame]:
    """(records, tasks)"""
    return read_records(SAMPLE), read_tasks(SAMPLE)
