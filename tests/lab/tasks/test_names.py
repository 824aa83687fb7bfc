"""Names that no task has are refused before anything is opened."""

import pytest

from psi.lab.tasks.names import check_task


@pytest.mark.parametrize(
    "name",
    [
        "cifar",
        "teacher-x",
        "teacher-",
        "teacher-1-frozen",
        "wine-3",
        "wine@x",
        "wine@",
        "pydoc@1",
        "moons",
        "moons@1",
        "spirals",
        "fourier-0@1",
        "keel/iris",
        "keel/wine@2",
    ],
)
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match=f"unknown .*{name}"):
        check_task(name)
