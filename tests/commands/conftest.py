"""Commands in this process: the same `run` that `python -m psi` calls."""

from pathlib import Path

import pytest

from psi import cli
from psi.law.law import Law, Range
from psi.law.parsing import parse

SAMPLE = str(Path(__file__).parents[2] / "data" / "sample")


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """`psi ARGUMENTS` in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def law_file(tmp_path):
    law = Law(
        parse("0.25*(1 - progress)"), ("loss_ratio", "progress"),
        (Range(0.01, 1.0), Range(0.0, 0.95)), Range(1e-3, 1.0), "sgd", 2.3,
    )  # fmt: skip
    law.save(tmp_path / "law.json")
    return tmp_path / "law.json"


@pytest.fixture
def refused(run, tmp_path, law_file):
    """Check that a command is refused in one line that holds these words, and writes nothing."""
    (tmp_path / "FILE").write_text("not a law")
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "CUT.json").write_text(law_file.read_text()[:200])
    before = sorted(tmp_path.rglob("*"))

    def check(arguments, words):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1, err
        assert err.startswith("psi: ")
        for word in words:
            assert word in err
        assert sorted(tmp_path.rglob("*")) == before

    return check
