"""Steps of a long computation are read where an earlier one has kept them."""

import numpy as np
import pytest

from psi.lab.data.kept import keeping, kept


def computation(made, stop=None):
    """Three steps; `made` notes which are made, and it is stopped before the step `stop`."""

    def step(number):
        if number == stop:
            raise KeyboardInterrupt
        made.append(number)
        return [np.array([0.1 * number, np.nan]), number, np.array("text")]

    return [kept("step", lambda k=k: step(k)) for k in range(3)]


def test_steps_are_read_after_a_stop_and_the_folder_goes_at_the_end(tmp_path):
    folder, made = tmp_path / "work", []
    truth = computation([])
    assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), keeping(folder):
        computation(made, stop=2)
    assert made == [0, 1]
    with keeping(folder):
        found = computation(made)
    assert made == [0, 1, 2]
    for one, other in zip(found, truth, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not folder.exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"{}", b"\0" * 200, "cut"])
def test_kind_a_damaged_step_is_made_again(tmp_path, content):
    folder, made = tmp_path / "work", []
    with pytest.raises(KeyboardInterrupt), keeping(folder):
        computation(made, stop=2)
    first = min(folder.iterdir())
    first.write_bytes(first.read_bytes()[:-30] if content == "cut" else content)
    with keeping(folder):
        computation(made)
    assert made == [0, 1, 0, 2]
