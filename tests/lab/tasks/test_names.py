"""Names that no task has are refused before anything is opened."""

import pytest

from psi.lab.tasks.names import check_task


@pytest.mark.parametrize("name", ["cifar", "teacher-x", "teacher-", "teacher-1-frozen", "wine-3"])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match=f"unknown .*{name}"):
        check_task(name)
