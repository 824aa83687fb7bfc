"""One writer at a time."""

import fcntl

import pytest

from psi.lab.data.folder import alone_in


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path):
    place = tmp_path / "new" / "folder"
    with alone_in(place):
        with (
            pytest.raises(LookupError, match=r"folder is being written by another run"),
            alone_in(place, type("Own", (ValueError, LookupError), {})),
        ):
            pass
        with alone_in(tmp_path):  # another folder
            pass
    with pytest.raises(KeyboardInterrupt), alone_in(place):
        raise KeyboardInterrupt
    with alone_in(place):
        pass


def test_a_file_system_without_locks_is_written_to(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with alone_in(tmp_path):
        (tmp_path / "result").touch()
    assert (tmp_path / "result").exists()


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot write to"), alone_in(tmp_path / "file" / "in"):
        pass
