"""What `psi bench` refuses, and when its answer is no."""

from psi.commands.bench import BenchCommand


def test_an_unknown_benchmark_is_refused(refused):
    refused(["bench", "fits"], ["fits", "engine"])


def test_a_row_that_is_not_ok_is_exit_1():
    assert BenchCommand.failed({"rows": [{"ok": True}, {"ok": False}]})
    assert not BenchCommand.failed({"rows": [{"ok": True}]})
    assert not BenchCommand.failed({"runs_per_second": 300.0})
