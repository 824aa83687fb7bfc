"""What going on with a sweep costs: seconds until a command's file is there."""

import sys

import pytest

from psi.bench.speed.storage import _until, resume_seconds


def test_the_clock_stops_when_the_file_is_there(tmp_path):
    file = tmp_path / "part"
    code = f"import time; time.sleep(0.3); open({str(file)!r}, 'w').close(); time.sleep(0.3)"
    assert 0.3 < _until([sys.executable, "-c", code], file) < 30


def test_a_command_that_ends_without_its_file_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="ended with 3, without"):
        _until([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "part")


@pytest.mark.slow
def test_a_command_goes_on_after_finished_parts():
    assert 0 < resume_seconds(3) < 300
