"""The bar where there is no terminal: a line now and then, with the time left."""

import pytest

from psi.report import progress
from psi.report.progress import bar


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    seconds = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds[0])
    return seconds


def test_a_line_is_printed_at_most_every_twenty_seconds(clock, capsys):
    with bar("training") as report:
        for second in range(0, 100, 10):
            clock[0] = float(second)
            report(second, 100, f"at {second}")
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if " min left, " in line]
    assert out == ""
    assert [line.split(", at ")[1] for line in lines] == ["30", "60", "90"]
    assert lines[0] == "training 30/100, 1.2 min left, at 30"  # 30 s for 30 units, 70 to go


def test_the_time_left_is_unknown_before_anything_is_done(clock, capsys):
    with bar("training") as report:
        clock[0] = 25.0
        report(0, 10, "")
    assert "training 0/10, nan min left, " in capsys.readouterr().err


def test_the_end_of_the_bar_is_drawn(capsys):
    with bar("counting") as report:
        report(7, 7, "")
    assert "7/7" in capsys.readouterr().err
