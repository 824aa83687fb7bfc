"""The bar in a terminal of 80 columns, and the lines where there is no terminal."""

import io

import pytest
from rich.console import Console

from psi.report import progress
from psi.report.progress import bar


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    seconds = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds[0])
    return seconds


def test_lines_are_printed_at_once_then_at_most_every_twenty_seconds_and_at_the_end(clock, capsys):
    with bar("training") as report:
        for second in range(0, 100, 10):
            clock[0] = float(second)
            report(second, 100, f"at {second}")
        report(100, 100, "x" * 100)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert [line.split(", at ")[-1] for line in lines[:-1]] == ["0", "30", "60", "90"]
    assert lines[0] == "training 0/100, ? min left, at 0"
    assert lines[1] == "training 30/100, 1.2 min left, at 30"  # 30 s for 30 units, 70 to go
    assert lines[-1].startswith("training 100/100, 0.0 min left, xxx")
    assert max(map(len, lines)) == 80


def test_the_time_left_does_not_count_what_an_earlier_call_has_done(clock, capsys):
    with bar("training") as report:
        report(90, 100, "")
        clock[0] = 60.0
        report(92, 100, "")
        report(100, 100, "")
    assert capsys.readouterr().err.splitlines() == [
        "training 90/100, ? min left",
        "training 92/100, 4.0 min left",  # a minute for 2 units, 8 to go
        "training 100/100, 0.0 min left",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_but_the_note_is_cut_in_a_terminal(width, monkeypatch):
    drawn = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda **_: Console(
        file=drawn, force_terminal=True, width=width, color_system=None
    ))  # fmt: skip
    with bar("searching on whole trainings") as report:
        report(145_000, 1_450_000, "teacher-0 " * 20)
    last = [line for line in drawn.getvalue().splitlines() if "145000" in line][-1]
    for whole in ("searching on whole trainings ", " 145000/1450000 ", "-:--:-- left teacher-0"):
        assert whole in last
    assert "…" in last
